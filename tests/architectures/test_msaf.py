import pytest
import torch

from msaf_bench import build
from msaf_bench.catalog import list_systems, list_tables, read_conditions, read_system, read_table, systems_of
from msaf_bench.errors import UsageError
from msaf_bench.spec import VOID, Choice

SMALL = read_conditions("smoke", "street")
ROWS = {f"{name}: {label}": system for name in list_tables() for label, system in systems_of(read_table(name), SMALL).items()}


@pytest.fixture(params=ROWS)
def net(request):
    torch.manual_seed(0)
    return build(ROWS[request.param], 5)


def clip(frames=3, size=(32, 48)):
    torch.manual_seed(1)
    return torch.randn(2, frames, 3, *size)


def test_a_clip_gives_full_size_logits_and_a_falling_loss(net):
    labels = torch.randint(5, (2, 32, 48))
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        out = net(clip())
        assert out.logits.shape == (2, 5, 32, 48)
        loss = net.loss(out, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_every_parameter_learns(net):
    out = net(clip())
    net.loss(out, torch.randint(5, (2, 32, 48))).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_a_stream_gives_what_the_clip_gives(net):
    net.eval()
    frames = clip(frames=5)
    stream = net.stream()
    with torch.inference_mode():
        steps = [stream.step(frames[:, t]) for t in range(5)]
        for t in range(2, 5):
            torch.testing.assert_close(steps[t], net(frames[:, t - 2 : t + 1]).logits, rtol=1e-4, atol=1e-4)
        first = frames[:, :1].expand(-1, 3, -1, -1, -1)
        torch.testing.assert_close(steps[0], net(first).logits, rtol=1e-4, atol=1e-4)
        stream.reset()
        torch.testing.assert_close(stream.step(frames[:, 0]), steps[0])


def test_only_rows_with_motion_read_the_past(net):
    net.eval()
    frames = clip()
    changed = frames.clone()
    changed[:, :2] += 1
    with torch.inference_mode():
        same = torch.equal(net(frames).logits, net(changed).logits)
    assert same is (net.frames == 1)


def test_void_pixels_do_not_count():
    net = build(ROWS["table3: MSAF"], 5).eval()
    out = net(clip())
    labels = torch.randint(5, (2, 32, 48))
    half = labels.clone()
    half[:, :16] = VOID
    moved = out._replace(logits=torch.cat((out.logits[:, :, :16] + torch.randn(2, 5, 16, 48), out.logits[:, :, 16:]), 2))
    assert net.loss(out, half) == net.loss(moved, half)
    assert net.loss(out, torch.full_like(labels, VOID)) == 0


def test_three_losses_are_summed():
    net = build(ROWS["table3: MSAF"], 5)
    out = net(clip())
    labels = torch.randint(5, (2, 32, 48))
    whole = net.loss(out, labels)
    parts = [net.loss(out._replace(aux={}), labels)] + [
        net.loss(out._replace(logits=torch.nn.functional.interpolate(m, (32, 48), mode="bilinear"), aux={}), labels)
        for m in out.aux.values()
    ]
    assert len(parts) == 3
    torch.testing.assert_close(whole, sum(parts))


def parameters(system):
    with torch.device("meta"):
        return sum(p.numel() for p in build(system, 19).parameters())


def test_the_vanilla_transformer_has_more_parameters_than_msaf_and_no_layer_to_spare():
    """Section 4.3, which sets the default depth."""
    systems = systems_of(read_table("3"))
    vanilla = systems["Baseline + TR"]
    assert parameters(vanilla) > parameters(systems["MSAF"])
    shallower = vanilla.swap((("motion", Choice(use="vanilla", options=(("layers", 8),))),))
    assert parameters(shallower) < parameters(systems["MSAF"])


@pytest.mark.parametrize("name", list_systems())
def test_every_system_builds_at_full_size(name):
    with torch.device("meta"):
        out = build(name, 19).eval()(torch.empty(1, 3, 3, 97, 129))
    assert out.logits.shape == (1, 19, 97, 129)


def test_full_width_keeps_f5s_channels():
    with torch.device("meta"):
        net = build(read_system("msaf-r18").swap(options=(("width", "full"),)), 19)
    assert net.motion.temporal.norm1.normalized_shape == (512,)


def test_bad_requests_are_named():
    net = build(ROWS["table3: MSAF"], 5)
    with pytest.raises(UsageError, match="reads 3 frames"):
        net(clip(frames=2))
    with pytest.raises(UsageError, match="num_classes"):
        build(ROWS["table3: MSAF"], 0)
    with pytest.raises(UsageError, match="did you mean"):
        build("msaf-r52", 5)
