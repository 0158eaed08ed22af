import pytest
import torch
from torch.nn import functional

from msaf_bench.components.blocks.convolution import conv_bn_relu


@pytest.mark.parametrize("kernel", [1, 3])
def test_it_is_a_convolution_a_norm_and_a_relu_of_the_same_size(kernel):
    torch.manual_seed(0)
    layer, x = conv_bn_relu(3, 4, kernel).double(), torch.randn(2, 3, 5, 6, dtype=torch.float64)
    y = functional.conv2d(x, layer[0].weight, padding=kernel // 2)
    mean, variance = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(layer(x), ((y - mean) / (variance + 1e-5).sqrt()).clamp(min=0))
    assert layer[0].bias is None
