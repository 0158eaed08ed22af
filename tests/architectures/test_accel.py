import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from msaf_bench import build
from msaf_bench.catalog import read_system
from msaf_bench.errors import UsageError


def small(update):
    torch.manual_seed(0)
    choice = {"use": "resnet18", "options": (("output_stride", 16), ("width", 4))}
    options = (("update", update), ("flow_width", 4))
    return build(read_system("accel-r18").swap((("backbone", choice),), options), 5).eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "update", "parameters", "between"),
    [
        ("accel-r18", 18, 114_520_569, 384.4),
        ("accel-r18", 34, 124_960_577, 540.4),
        ("accel-r50", 50, 110_403_771, 682.5),
        ("accel-r101", 101, 92_153_003, 1080.0),
    ],
)
def test_size_and_cost_are_those_of_the_release(name, update, parameters, between):
    """There, a frame between key frames has 3.3 GFLOPs of a scale map that nothing reads."""
    with torch.device("meta"):
        net, frame = (
            build(read_system(name).swap(options=(("update", update),)), 19).eval(),
            torch.empty(1, 3, 1024, 2048),
        )
    assert sum(p.numel() for p in net.parameters()) == parameters
    stream = net.stream()
    for expected in (855.3, between - 2 * 194 * 1024 * 64 * 128 / 1e9):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            stream.step(frame)
        assert counter.get_total_flops() / 1e9 == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_score_maps_are_mixed_at_full_size_and_start_as_their_mean():
    net, clip = small(18), torch.randn(2, 5, 3, 32, 48)
    with torch.no_grad():
        carried = net.reference.decode(net.reference.follow(clip))
        current = net.fusion.head(net.fusion.features(clip[:, -1]))
        torch.testing.assert_close(net(clip).logits, (carried + current) / 2)
        net.fusion.mix.weight.normal_()
        expected = net.fusion.mix(torch.cat((carried, current), 1))
        torch.testing.assert_close(net(clip).logits, expected)


@pytest.mark.slow
def test_accel_101_mixes_features_and_starts_as_the_frames_own():
    net, clip = small(101), torch.randn(2, 5, 3, 32, 48)
    with torch.no_grad():
        alone = net.reference.decode(net.reference.extract(clip[:, -1]))
        torch.testing.assert_close(net(clip).logits, alone)
        net.fusion.mix.weight.normal_()
        both = torch.cat((net.reference.follow(clip), net.reference.extract(clip[:, -1])), 1)
        torch.testing.assert_close(net(clip).logits, net.reference.decode(net.fusion.mix(both)))


@pytest.mark.slow
@pytest.mark.parametrize("update", [18, 101])
def test_a_key_frame_of_a_stream_is_the_references_alone(update):
    net, video = small(update), torch.randn(1, 6, 3, 33, 50)
    torch.nn.init.normal_(net.fusion.mix.weight)
    stream = net.stream()
    with torch.no_grad():
        steps = [stream.step(frame) for frame in video.unbind(1)]
        key = torch.nn.functional.pad(video[:, 5], (0, 14, 0, 15))
        torch.testing.assert_close(
            steps[5], net.reference.decode(net.reference.extract(key))[..., :33, :50]
        )
        torch.testing.assert_close(steps[4], net(video[:, :5]).logits)


def test_each_branch_has_a_loss_of_its_own_in_training():
    net, clip, labels = small(18), torch.randn(2, 5, 3, 32, 48), torch.randint(5, (2, 32, 48))
    assert net(clip).aux == {}
    out = net.train()(clip)
    assert set(out.aux) == {"reference", "update"}
    parts = [
        net.loss(out._replace(logits=scores, aux={}), labels)
        for scores in (out.logits, *out.aux.values())
    ]
    torch.testing.assert_close(net.loss(out, labels), sum(parts))


def test_all_that_sees_a_frame_learns_at_the_backbones_rate():
    net = small(18)
    held = {id(p) for p in net.backbone.parameters()}
    assert held == {
        id(p) for part in (net.reference.backbone, net.fusion.features) for p in part.parameters()
    }
    assert not any(name.startswith("backbone") for name in net.state_dict())


def test_an_unknown_update_is_named():
    with pytest.raises(UsageError, match="update = 20; choose 18"):
        small(20)
