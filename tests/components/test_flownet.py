import pytest
import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from msaf_bench.components.feature_flow import FeatureFlow
from msaf_bench.components.flownet import FlowNetC, FlowNetS, correlation, flownet_c, flownet_s
from msaf_bench.components.flownet2 import FlowNet2, flownet2
from msaf_bench.data.street import make_video
from msaf_bench.data.transforms import MEAN, STD

FACTORIES = {"s": flownet_s, "c": flownet_c, "2": flownet2}


@pytest.mark.parametrize(("name", "parameters", "gflops"), [("s", 38_676_506, 336.8), ("c", 39_175_298, 477.5), ("2", 162_518_834, 2114.6)])
def test_size_and_cost_are_those_of_the_release(name, parameters, gflops):
    """Counted on the release (the correlation is no convolution)."""
    with torch.device("meta"):
        net, frame = FACTORIES[name]().eval(), torch.empty(1, 3, 1024, 2048)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        assert net(frame, frame).shape == (1, 2, 1024, 2048)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflops, rel=1e-3)


def test_feature_flow_has_the_size_of_the_release():
    with torch.device("meta"):
        assert sum(p.numel() for p in FeatureFlow(1024).parameters()) == 38_876_194


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
                    expected = (x[:, :, row, column] * y[:, :, a, b]).mean(1) if inside else torch.zeros(2).double()
                    torch.testing.assert_close(found[:, i, j, row, column], expected)


@pytest.mark.parametrize("name", FACTORIES)
def test_flow_has_the_frames_size_and_a_gradient_for_every_weight(name):
    torch.manual_seed(0)
    net = FACTORIES[name](width=4)
    flow = net(*torch.randn(2, 1, 3, 24, 70))
    assert flow.shape == (1, 2, 24, 70)
    flow.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize(("name", "kind"), [("s", FlowNetS), ("c", FlowNetC), ("2", FlowNet2)])
def test_weights_come_from_a_file(name, kind, tmp_path):
    torch.manual_seed(0)
    source = kind(width=4)
    save_file(source.state_dict(), tmp_path / "flow.safetensors")
    loaded = FACTORIES[name](width=4, weights=str(tmp_path / "flow.safetensors")).net
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), loaded.parameters(), strict=True))


def test_names_are_those_of_the_release():
    names = set(FlowNet2(width=4).state_dict())
    expected = ("flownetc.conv_redir.0.weight", "flownets_1.upsampled_flow6_to_5.weight", "flownets_2.deconv5.0.bias")
    assert {*expected, "flownets_d.inter_conv2.0.weight", "flownetfusion.predict_flow0.bias"} <= names
    assert "flownets_1.upsampled_flow6_to_5.bias" not in names


def street(seeds):
    """Pairs of neighbouring frames, normalised, and the exact flow between them."""
    pairs = []
    for seed in seeds:
        video = make_video(seed, 4, (64, 128))
        frames = ((torch.from_numpy(video.images) / 255 - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)
        pairs.append((frames[:-1], frames[1:], torch.from_numpy(video.flow_forward[:-1]).permute(0, 3, 1, 2)))
    return (torch.cat(parts) for parts in zip(*pairs, strict=True))


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
