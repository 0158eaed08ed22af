import pytest
import torch
from torch.nn import functional

from msaf_bench import build
from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.components.heads import LatePSPHead, PSPHead
from msaf_bench.errors import UsageError
from msaf_bench.ports import Stages
from msaf_bench.spec import System


def network(flow="zero", **options):
    torch.manual_seed(0)
    slots = {
        "backbone": {"use": "resnet10", "width": 8},
        "head": {"use": "psp-late", "width": 8},
        "flow": flow,
    }
    return build(System(architecture="netwarp", slots=slots, options=options), 5).double().eval()


def clip(frames=2, size=(33, 41)):
    return torch.randn(
        2, frames, 3, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )


@pytest.mark.slow
def test_it_costs_what_the_deploy_file_says():
    cost = system_cost("netwarp-psp101", 19, (713, 713), mode="stream")
    # The deploy file writes the blend as two 1x1 convolutions, whose 2 x 512 biases are 0 and
    # frozen: they are no parameters here.
    assert cost.total_params == 65_715_919 - 1_024
    assert cost.params["transform"] == 6_396
    assert 2 * cost.total_macs == pytest.approx(1034.5e9, rel=1e-4)


def test_two_frames_are_blended_half_and_half_at_the_start():
    """Without motion: the mean of both frames' features before the ReLU, and the head's rest."""
    net, frames = network(), clip()
    past, now = (net.head.features(Stages(*net.backbone(frames[:, i]))) for i in range(2))
    assert past.min() < 0
    logits = net.head.classifier(functional.relu((past + now) / 2))
    expected = functional.interpolate(logits, (33, 41), mode="bilinear", align_corners=True)
    torch.testing.assert_close(net(frames).logits, expected)


@pytest.mark.slow
def test_older_frames_are_not_read():
    """The official script feeds back the features before the blend."""
    net, frames = network(), clip(frames=4)
    torch.testing.assert_close(net(frames).logits, net(frames[:, -2:]).logits, rtol=0, atol=0)
    video = net.stream()
    steps = [video.step(frames[:, i]) for i in range(4)]
    torch.testing.assert_close(steps[3], net(frames).logits)
    torch.testing.assert_close(steps[0], net(frames[:, [0, 0]]).logits)


class ConstantFlow(torch.nn.Module):
    def __init__(self, dx, dy):
        super().__init__()
        self.motion = torch.tensor([dx, dy], dtype=torch.float64).view(1, 2, 1, 1)

    def forward(self, image, reference):
        return self.motion.expand(len(image), 2, *image.shape[-2:])


@pytest.mark.slow
@pytest.mark.parametrize(("literal", "cells"), [(False, 1), (True, 8)])
def test_flow_at_the_grid_is_in_its_pixels(literal, cells):
    net = network(literal_flow_scale=literal)
    net.flow = ConstantFlow(8.0, -8.0)
    flow = net.grid_flow(*clip().unbind(1))
    assert flow.shape == (2, 2, 5, 6)
    torch.testing.assert_close(
        flow, torch.tensor([cells, -cells]).double().view(1, 2, 1, 1).expand_as(flow)
    )


def test_the_past_is_read_where_the_flow_says_and_clamped_at_the_border():
    net = network()
    features, image, reference = torch.zeros(2, 8, 5, 6).double(), *clip().unbind(1)
    past = torch.arange(6).double().expand(2, 8, 5, 6)
    net.flow = ConstantFlow(16.0, 0.0)
    net.head.classify = lambda x: x
    # corners are aligned: every eighth pixel is one of the grid
    blended = net.decode(features, image, past, reference)[..., ::8, ::8]
    torch.testing.assert_close(blended[0, 0, 0], torch.tensor([1, 1.5, 2, 2.5, 2.5, 2.5]).double())


def test_the_transform_reads_the_flow_and_both_frames():
    net, frames = network(), clip()
    seen = []
    net.transform.correction.register_forward_pre_hook(lambda module, x: seen.append(x[0]))
    net.grid_flow(frames[:, 1], frames[:, 0])
    pooled = functional.max_pool2d(frames.flatten(0, 1), 8, ceil_mode=True).unflatten(0, (2, 2))
    expected = torch.cat((torch.zeros(2, 2, 5, 6), pooled[:, 1], pooled[:, 0]), 1)
    torch.testing.assert_close(seen[0], expected)


def test_the_late_head_is_the_same_network():
    torch.manual_seed(0)
    stages = Stages(*(torch.randn(1, c, 4, 5) for c in (4, 8, 16)))
    head, late = (kind((4, 8, 16), 5, width=8).eval() for kind in (PSPHead, LatePSPHead))
    late.load_state_dict(head.state_dict())
    torch.testing.assert_close(late(stages), head(stages))
    torch.testing.assert_close(functional.relu(late.features(stages)), head.features(stages))


def test_the_past_is_read_without_a_gradient_and_one_frame_is_too_few():
    net, learns = network().train(), []
    net.backbone.register_forward_hook(
        lambda module, x, stages: learns.append(stages.f5.requires_grad)
    )
    net(clip())
    assert learns == [False, True]
    with pytest.raises(UsageError, match="reads 2 frames"):
        net(clip(frames=1))
