import pytest
import torch

from msaf_bench import build
from msaf_bench.catalog import list_tables, read_conditions, read_system, read_table, systems_of
from msaf_bench.errors import UsageError
from msaf_bench.spec import VOID, Choice

SMALL = read_conditions("smoke", "street")
TABLES = [read_table(name) for name in list_tables()]
ROWS = {
    f"{t.name}: {label}": system
    for t in TABLES
    if t.base
    for label, system in systems_of(t, SMALL).items()
}


@pytest.fixture(params=ROWS)
def net(request):
    torch.manual_seed(0)
    return build(ROWS[request.param], 5)


def clip(frames=3, size=(32, 48)):
    torch.manual_seed(1)
    return torch.randn(2, frames, 3, *size)


def test_only_rows_with_motion_read_the_past(net):
    net.eval()
    frames = clip()
    changed = frames.clone()
    changed[:, :2] += 1
    with torch.inference_mode():
        same = torch.equal(net(frames).logits, net(changed).logits)
    assert same is (net.frames == 1)


@pytest.mark.slow
def test_void_pixels_do_not_count():
    net = build(ROWS["table3: MSAF"], 5).eval()
    out = net(clip())
    labels = torch.randint(5, (2, 32, 48))
    half = labels.clone()
    half[:, :16] = VOID
    moved = out._replace(
        logits=torch.cat(
            (out.logits[:, :, :16] + torch.randn(2, 5, 16, 48), out.logits[:, :, 16:]), 2
        )
    )
    assert net.loss(out, half) == net.loss(moved, half)
    assert net.loss(out, torch.full_like(labels, VOID)) == 0


@pytest.mark.slow
def test_three_losses_are_summed():
    net = build(ROWS["table3: MSAF"], 5)
    out = net(clip())
    labels = torch.randint(5, (2, 32, 48))
    whole = net.loss(out, labels)
    parts = [net.loss(out._replace(aux={}), labels)] + [
        net.loss(
            out._replace(
                logits=torch.nn.functional.interpolate(m, (32, 48), mode="bilinear"), aux={}
            ),
            labels,
        )
        for m in out.aux.values()
    ]
    assert len(parts) == 3
    torch.testing.assert_close(whole, sum(parts))


def parameters(system):
    with torch.device("meta"):
        return sum(p.numel() for p in build(system, 19).parameters())


@pytest.mark.slow
def test_the_vanilla_transformer_has_more_parameters_than_msaf_and_no_layer_to_spare():
    """Section 4.3, which sets the default depth."""
    systems = systems_of(read_table("3"))
    vanilla = systems["Baseline + TR"]
    assert parameters(vanilla) > parameters(systems["MSAF"])
    shallower = vanilla.swap((("motion", Choice(use="vanilla", options=(("layers", 8),))),))
    assert parameters(shallower) < parameters(systems["MSAF"])


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
