from itertools import product
from math import floor

import pytest
import torch
from torch import nn
from torch.nn import functional

from msaf_bench.components.backbones.resnet import resnet18, resnet50, resnet101
from msaf_bench.components.blocks.deeplab import (
    BilinearDeconvolution,
    DeepLabFeatures,
    DeepLabHead,
    Deformable,
    UpdateFeatures,
)
from msaf_bench.errors import UsageError


def count(*nets):
    return sum(p.numel() for net in nets for p in net.parameters())


@pytest.mark.slow
def test_sizes_are_those_of_the_releases():
    """Published are whole systems: beside the key network a flow network of 38,876,194 and a fusion
    of 741.
    """
    with torch.device("meta"):
        key = DeepLabFeatures(resnet101(output_stride=16), groups=1)
        head = DeepLabHead(2048, 19)
        assert count(key, head) == 44_886_153
        others = 44_886_153 + 38_876_194 + 741
        assert count(UpdateFeatures((2, 2, 2, 2), 2048), head) == 114_520_569 - others
        assert count(UpdateFeatures((3, 4, 6, 3), 2048), head) == 124_960_577 - others
        half = DeepLabFeatures(resnet50(output_stride=16), groups=4, reach=2)
        assert count(half, head) == 110_403_771 - others


def slow_deformable(x, offset, weight, *, groups, dilation):
    """Output pixel by output pixel, tap by tap; 0 outside of the map."""
    channels, h, w = x.shape
    y = torch.zeros(weight.shape[0], h, w).double()
    for row, column, tap, group in product(range(h), range(w), range(9), range(groups)):
        dy, dx = offset[18 * group + 2 * tap : 18 * group + 2 * tap + 2, row, column].tolist()
        a, b = row + dilation * (tap // 3 - 1) + dy, column + dilation * (tap % 3 - 1) + dx
        own = slice(group * channels // groups, (group + 1) * channels // groups)
        for i, j in product((floor(a), floor(a) + 1), (floor(b), floor(b) + 1)):
            if 0 <= i < h and 0 <= j < w:
                y[:, row, column] += (
                    weight[:, own, tap // 3, tap % 3]
                    @ x[own, i, j]
                    * (1 - abs(a - i))
                    * (1 - abs(b - j))
                )
    return y


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "reach"), [(1, 1), (2, 2)])
def test_deformable_convolution_has_dilation_and_groups(groups, reach):
    torch.manual_seed(0)
    net = Deformable(
        nn.Conv2d(4, 3, 3, padding=2, dilation=2, bias=False), groups=groups, reach=reach
    ).double()
    nn.init.normal_(net.offset.weight, std=0.3)
    x = torch.randn(1, 4, 5, 6).double()
    with torch.no_grad():
        expected = slow_deformable(x[0], net.offset(x)[0], net.weight, groups=groups, dilation=2)
        torch.testing.assert_close(net(x)[0], expected)


def test_without_offsets_it_is_the_convolution():
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 6, 3, padding=2, dilation=2, bias=False)
    x = torch.randn(2, 4, 5, 6)
    torch.testing.assert_close(
        Deformable(plain, groups=4, reach=2)(x), plain(x), rtol=1e-4, atol=1e-5
    )


def test_the_fixed_deconvolution_interpolates_bilinearly_inside():
    x = torch.randn(2, 3, 4, 5)
    y = BilinearDeconvolution(3, 16)(x)
    inside = (..., slice(8, -8), slice(8, -8))
    torch.testing.assert_close(
        y[inside], functional.interpolate(x, scale_factor=16, mode="bilinear")[inside]
    )
    assert y.shape == (2, 3, 64, 80)


@pytest.mark.slow
def test_the_grid_is_a_sixteenth_whatever_the_network():
    x = torch.randn(2, 3, 48, 80)
    assert DeepLabFeatures(resnet50(width=4, output_stride=16), groups=2)(x).shape == (2, 128, 3, 5)
    assert DeepLabFeatures(resnet18(width=4, output_stride=16))(x).shape == (2, 32, 3, 5)
    assert UpdateFeatures((1, 1, 1, 1), 24, width=4)(x).shape == (2, 24, 3, 5)


def test_another_backbone_is_named():
    with pytest.raises(UsageError, match="output_stride = 16"):
        DeepLabFeatures(resnet18(width=4))
