import pytest
import torch

from msaf_bench import build
from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.catalog import read_system
from msaf_bench.components.blocks.warp import warp
from msaf_bench.errors import UsageError

ACCEL_STYLE = (("accel_style", True),)


def small(*options, use="resnet18"):
    torch.manual_seed(0)
    choice = {"use": use, "options": (("output_stride", 16), ("width", 4))}
    return build(
        read_system("dff-r101").swap((("backbone", choice),), (("flow_width", 4), *options)), 5
    ).eval()


def gflops(cost):
    return [2 * macs / 1e9 for macs in cost.phases]


@pytest.mark.slow
def test_size_and_cost_of_accels_variant_are_those_of_its_release():
    """There, 122.3 of a frame between key frames include 3.3 of a scale map that nothing reads."""
    cost = system_cost(
        read_system("dff-r101").swap(options=ACCEL_STYLE), 19, (1024, 2048), mode="stream"
    )
    assert cost.total_params == 44_886_153 + 38_876_194
    unread = 2 * 194 * 1024 * 64 * 128 / 1e9
    assert gflops(cost) == pytest.approx([855.3, *[122.3 - unread] * 4], rel=1e-3)


@pytest.mark.slow
def test_the_original_carries_half_the_channels_and_scales_them():
    """Without the offsets of the last stage, and with fc6 on key frames alone."""
    cost = system_cost("dff-r101", 19, (1024, 2048), mode="stream")
    offsets, fc6 = 3 * 18 * 9 * 512, 2048 * 1024
    assert cost.total_params == 44_886_153 + 38_876_194 - offsets - 3 * 18
    pixels = 2 * 64 * 128 / 1e9
    assert gflops(cost) == pytest.approx(
        [855.3 - offsets * pixels, *[122.3 - fc6 * pixels] * 4], rel=1e-3
    )


def test_flow_leads_straight_to_the_key_frame():
    net, clip = small(), torch.randn(1, 5, 3, 32, 48)
    with torch.no_grad():
        features = net.head.features(net.backbone(clip[:, 0]))
        flow = net.flow(clip[:, 4], clip[:, 0])
        # the scale map is 1 at the start
        expected = net.head.classify(warp(features, flow, outside="zeros"))
        torch.testing.assert_close(net(clip).logits, expected)
        between = clip.clone()
        between[:, 1:4] += 1
        torch.testing.assert_close(net(between).logits, expected)


@pytest.mark.slow
def test_in_accels_variant_flow_leads_from_frame_to_frame():
    net, clip = small(*ACCEL_STYLE), torch.randn(1, 5, 3, 32, 48)
    with torch.no_grad():
        features = net.backbone(clip[:, 0])
        for t in range(1, 5):
            features = warp(features, net.flow(clip[:, t], clip[:, t - 1]), outside="zeros")
        torch.testing.assert_close(net(clip).logits, net.head(features))


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ACCEL_STYLE])
def test_a_stream_sees_key_frames_alone_and_carries_them_on(options):
    net, video = small(*options), torch.randn(2, 11, 3, 33, 50)
    stream, seen = net.stream(), []
    net.backbone.register_forward_hook(lambda *_: seen.append(stream.index))
    with torch.no_grad():
        steps = [stream.step(frame) for frame in video.unbind(1)]
        assert seen == [0, 5, 10]
        for key in (0, 5):
            torch.testing.assert_close(steps[key + 4], net(video[:, key : key + 5]).logits)
        stream.reset()
        torch.testing.assert_close(stream.step(video[:, 5]), steps[5])


def test_bad_requests_are_named():
    with pytest.raises(UsageError, match="interval = 1"):
        small(("interval", 1))
    with pytest.raises(UsageError, match="reads 5 frames, the clip has 4"):
        small()(torch.randn(1, 4, 3, 32, 32))
