import pytest
import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from msaf_bench.architectures.dff.feature_flow import FeatureFlow
from msaf_bench.components.flows.flownet import (
    FlowNetC,
    FlowNetS,
    correlation,
    flownet_c,
    flownet_s,
)
from msaf_bench.components.flows.flownet2 import FlowNet2, flownet2
from msaf_bench.data.street import make_video
from msaf_bench.data.transforms import MEAN, STD

FACTORIES = {"s": flownet_s, "c": flownet_c, "2": flownet2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parameters", "gflops"),
    [("s", 38_676_506, 336.8), ("c", 39_175_298, 477.5), ("2", 162_518_834, 2114.6)],
)
def test_size_and_cost_are_those_of_the_release(name, parameters, gflops):
    """Counted on the release (the correlation is no convolution)."""
    with torch.device("meta"):
        net, frame = FACTORIES[name]().eval(), torch.empty(1, 3, 1024, 2048)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        assert net(frame, frame).shape == (1, 2, 1024, 2048)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflops, rel=1e-3)


@pytest.mark.slow
def test_feature_flow_has_the_size_of_the_release():
    with torch.device("meta"):
        assert sum(p.numel() for p in FeatureFlow(1024).parameters()) == 38_876_194


@pytest.mark.slow
def test_correlation_is_the_mean_product_at_each_displacement():
    torch.manual_seed(0)
    x, y = torch.randn(2, 2, 3, 5, 6).double()
    found = correlation(x, y, 4, 2).unflatten(1, (5, 5))
    for i in range(5):
        for j in range(5):
            for row in range(5):
                for column in range(6):
                    a, b = row + 2 * i - 4, column + 2 * j - 4
                    inside = 0 <= a < 5 and 0 <= b < 6
                    expected = (
                        (x[:, :, row, column] * y[:, :, a, b]).mean(1)
                        if inside
                        else torch.zeros(2).double()
                    )
                    torch.testing.assert_close(found[:, i, j, row, column], expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", FACTORIES)
def test_flow_has_the_frames_size_and_a_gradient_for_every_weight(name):
    torch.manual_seed(0)
    net = FACTORIES[name](width=4)
    flow = net(*torch.randn(2, 1, 3, 24, 70))
    assert flow.shape == (1, 2, 24, 70)
    flow.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), [("s", FlowNetS), ("c", FlowNetC), ("2", FlowNet2)])
def test_weights_come_from_a_file(name, kind, tmp_path):
    torch.manual_seed(0)
    source = kind(width=4)
    save_file(source.state_dict(), tmp_path / "flow.safetensors")
    loaded = FACTORIES[name](width=4, weights=str(tmp_path / "flow.safetensors")).net
    assert all(
        torch.equal(a, b) for a, b in zip(source.parameters(), loaded.parameters(), strict=True)
    )


def test_names_are_those_of_the_release():
    names = set(FlowNet2(width=4).state_dict())
    expected = (
        "flownetc.conv_redir.0.weight",
        "flownets_1.upsampled_flow6_to_5.weight",
        "flownets_2.deconv5.0.bias",
    )
    assert {
        *expected,
        "flownets_d.inter_conv2.0.weight",
        "flownetfusion.predict_flow0.bias",
    } <= names
    assert "flownets_1.upsampled_flow6_to_5.bias" not in names


class Recorder(torch.nn.Module):
    """Gives one flow everywhere on a grid of 1 / step, and keeps what it was given."""

    def __init__(self, flow, step):
        super().__init__()
        self.flow, self.step = torch.tensor(flow).view(1, 2, 1, 1), step

    def forward(self, x):
        self.seen = x
        return self.flow.expand(len(x), 2, x.shape[-2] // self.step, x.shape[-1] // self.step)


def moved(x, dx, dy):
    """x read dx columns further right and dy rows further down, at the border its nearest pixel."""
    rows = (torch.arange(x.shape[-2]) + dy).clamp(0, x.shape[-2] - 1)
    columns = (torch.arange(x.shape[-1]) + dx).clamp(0, x.shape[-1] - 1)
    return x[..., rows, :][..., columns]


@pytest.mark.slow
def test_flownet2_hands_on_flow_warped_frames_and_errors_in_the_releases_units():
    """C, S and S give twentieths of 20 pixels, SD gives twentieths of a pixel; the fusion reads
    pixels.
    """
    torch.manual_seed(0)
    net = FlowNet2(width=4)
    for name, flow, step in (
        ("flownetc", (0.1, 0.0), 4),
        ("flownets_1", (0.05, -0.1), 4),
        ("flownets_2", (0.15, 0.05), 4),
        ("flownets_d", (20.0, 40.0), 4),
        ("flownetfusion", (0.0, 0.0), 1),
    ):
        net[name] = Recorder(flow, step)
    pair = torch.randn(2, 6, 64, 64)
    image, reference = pair.chunk(2, 1)
    assert net(pair).shape == (2, 2, 64, 64)

    def everywhere(dx, dy):
        return torch.tensor((dx, dy)).view(1, 2, 1, 1).expand(2, 2, 64, 64)

    def error(dx, dy):
        return (image - moved(reference, dx, dy)).square().sum(1, keepdim=True).sqrt()

    for name, dx, dy in (("flownets_1", 2, 0), ("flownets_2", 1, -2)):
        expected = torch.cat(
            (pair, moved(reference, dx, dy), everywhere(dx / 20, dy / 20), error(dx, dy)), 1
        )
        torch.testing.assert_close(net[name].seen, expected, rtol=1e-4, atol=1e-4)
    lengths = [torch.full((2, 1, 64, 64), (dx**2 + dy**2) ** 0.5) for dx, dy in ((1, 2), (3, 1))]
    evidence = torch.cat(
        (image, everywhere(1.0, 2.0), everywhere(3.0, 1.0), *lengths, error(1, 2), error(3, 1)), 1
    )
    torch.testing.assert_close(net["flownetfusion"].seen, evidence, rtol=1e-4, atol=1e-4)


def test_a_pair_is_of_colours_less_the_mean_of_both_frames():
    net = flownet_s(width=4)
    net.net = Recorder((0.1, -0.2), 4)
    frames = torch.randn(2, 2, 3, 24, 70)
    flow = net(*frames)
    colours = frames * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    expected = (colours - colours.mean((0, 3, 4), keepdim=True)).transpose(0, 1).flatten(1, 2)
    torch.testing.assert_close(net.net.seen[..., :24, :70], expected)
    assert net.net.seen.shape == (2, 6, 64, 128)
    assert net.net.seen[..., 24:, :].abs().max() == net.net.seen[..., 70:].abs().max() == 0
    torch.testing.assert_close(
        flow, torch.tensor((2.0, -4.0)).view(1, 2, 1, 1).expand(2, 2, 24, 70)
    )


def test_feature_flow_sees_half_the_size_and_is_in_pixels_of_the_features():
    net, seen = FeatureFlow(5, width=4), []
    net.net["conv1"].register_forward_pre_hook(lambda module, x: seen.append(x[0]))
    torch.nn.init.zeros_(net.net["predict_flow2"].weight)
    net.net["predict_flow2"].bias.data = torch.tensor((1.0, -2.0))
    image, reference = torch.randn(2, 1, 3, 48, 80)
    with torch.no_grad():
        flow, scale = net.scaled(image, reference)
    half = torch.nn.functional.avg_pool2d(torch.cat((image, reference), 1), 2) * torch.tensor(
        (*STD, *STD)
    ).view(6, 1, 1)
    torch.testing.assert_close(seen[0], half)
    torch.testing.assert_close(flow, torch.tensor((2.5, -5.0)).view(1, 2, 1, 1).expand(1, 2, 3, 5))
    assert torch.equal(scale, torch.ones(1, 5, 3, 5))


def street(seeds):
    """Pairs of neighbouring frames, normalised, and the exact flow between them."""
    pairs = []
    for seed in seeds:
        video = make_video(seed, 4, (64, 128))
        frames = (
            (torch.from_numpy(video.images) / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
        ).permute(0, 3, 1, 2)
        pairs.append(
            (frames[:-1], frames[1:], torch.from_numpy(video.flow_forward[:-1]).permute(0, 3, 1, 2))
        )
    return (torch.cat(parts) for parts in zip(*pairs, strict=True))


@pytest.mark.slow
def test_flownet_s_learns_the_motion_of_the_street():
    torch.manual_seed(0)
    images, references, truth = street(range(0, 16, 2))
    others = tuple(street(range(1, 9, 2)))
    net = flownet_s(width=8)
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)

    def error(image, reference, flow):
        return (net(image, reference) - flow).norm(dim=1).mean()

    for _ in range(70):
        some = torch.randint(len(images), (4,))
        loss = error(images[some], references[some], truth[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        still, unseen = others[2].norm(dim=1).mean(), error(*others)
    assert unseen < 0.6 * still, (unseen, still)
