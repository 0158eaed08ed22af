import numpy as np
import pytest
import torch
from torch.nn import functional

from msaf_bench.analyzers.cost.system import module_cost
from msaf_bench.architectures import build
from msaf_bench.components.backbones.vgg import ContextHead, context8, dilation8, mirror
from msaf_bench.errors import UsageError

#: Cityscapes' file enlarges by a convolution of fixed weights, ours bilinearly
DECONVOLUTION = 16 * 16 * 19


def sizes(name, num_classes):
    with torch.device("meta"):
        net = build(name, num_classes).eval()
    return net, sum(p.numel() for part in (net.backbone, net.head) for p in part.parameters())


@pytest.mark.slow
def test_the_sizes_and_costs_are_those_of_the_deploy_files():
    camvid, parameters = sizes("dilation8", 11)
    assert parameters == 134_313_443
    for size, gflops in (((720, 960), 3592.4), ((640, 960), 3226.7)):
        assert 2e-9 * module_cost(camvid, (1, 1, 3, *size)).total_macs == pytest.approx(
            gflops, rel=0.01
        )
    cityscapes, parameters = sizes("dilation10", 19)
    assert parameters == 134_373_043 - DECONVOLUTION
    assert 2e-9 * module_cost(cityscapes, (1, 1, 3, 1024, 2048)).total_macs == pytest.approx(
        10_273, rel=0.01
    )


def test_the_image_is_mirrored_again_and_again():
    image = torch.arange(2 * 3 * 8 * 16.0).view(2, 3, 8, 16)
    expected = np.pad(image.numpy(), ((0, 0), (0, 0), (30, 30), (30, 30)), mode="reflect")
    np.testing.assert_array_equal(mirror(image, 30), expected)


@pytest.mark.parametrize(("n", "whole"), [(8, 8), (9, 16), (15, 16), (1, 8)])
def test_the_far_border_fills_whole_cells(n, whole):
    image = torch.randn(1, 3, n, 24)
    out = mirror(image, 186)
    assert out.shape == (1, 3, whole + 372, 24 + 372)
    torch.testing.assert_close(out[..., 186 : 186 + n, 186:210], image, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("border", ["mirror", "same"])
@pytest.mark.parametrize("size", [(24, 32), (41, 59)])
def test_all_stages_lie_on_one_grid(border, size):
    net = dilation8(width=1, border=border).eval()
    with torch.inference_mode():
        stages = net(torch.randn(1, 3, *size))
    assert [tuple(f.shape[1:]) for f in stages] == [
        (c, *(-(-n // 8) for n in size)) for c in (8, 8, 64)
    ]


def test_the_convolutions_stand_where_torchvision_has_them():
    features = dilation8(width=1).features
    assert [i for i, m in enumerate(features) if isinstance(m, torch.nn.Conv2d)] == [
        0,
        2,
        5,
        7,
        10,
        12,
        14,
        17,
        19,
        21,
        24,
        26,
        28,
    ]


@pytest.mark.slow
def test_far_from_the_edge_the_border_does_not_matter():
    torch.manual_seed(0)
    one, other = (
        dilation8(width=1, border=border).double().eval() for border in ("mirror", "same")
    )
    other.load_state_dict(one.state_dict())
    image = torch.randn(1, 3, 416, 416).double()
    with torch.inference_mode():
        for a, b in zip(one(image), other(image), strict=True):
            torch.testing.assert_close(a[..., 25:27, 25:27], b[..., 25:27, 25:27])
            assert not torch.allclose(a, b)


def test_the_context_begins_as_the_identity_and_reaches_67_cells():
    head = context8((8, 8, 16), 5)
    scores = torch.rand(1, 5, 80, 80)
    torch.testing.assert_close(head.classify(scores), scores)
    for p in head.context.parameters():
        torch.nn.init.constant_(p, 1e-2)
    spot = torch.zeros(1, 5, 80, 80)
    spot[..., 40, 40] = 1
    reached = (head.classify(spot) - head.classify(torch.zeros_like(spot))).abs().amax((0, 1)) > 0
    assert reached.any(0).nonzero().aminmax() == (40 - 33, 40 + 33)


def test_the_context_is_a_chain_of_dilated_convolutions():
    head = ContextHead((8, 8, 16), 3, (1, 2)).double()
    for p in head.parameters():
        torch.nn.init.normal_(p)
    x = torch.randn(2, 3, 6, 7).double()
    w = [p for _, p in head.context.named_parameters()]
    expected = x
    for i, d in enumerate((1, 2, 1)):
        padded = functional.pad(expected, (d, d, d, d))
        taps = [
            padded[..., i * d : i * d + 6, j * d : j * d + 7] for i in range(3) for j in range(3)
        ]
        mixed = sum(
            torch.einsum("oc,bchw->bohw", k, t)
            for k, t in zip(w[2 * i].flatten(2).unbind(2), taps, strict=True)
        )
        expected = (mixed + w[2 * i + 1].view(-1, 1, 1)).clamp(min=0)
    expected = torch.einsum("oc,bchw->bohw", w[6][..., 0, 0], expected) + w[7].view(-1, 1, 1)
    torch.testing.assert_close(head.classify(x), expected)


def test_another_border_is_refused():
    with pytest.raises(UsageError, match="mirror"):
        dilation8(border="mirrors")
