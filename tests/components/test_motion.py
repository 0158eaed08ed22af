from functools import partial

import pytest
import torch
from torch import nn

from msaf_bench.components.align import DeformableAlign, NoAlign
from msaf_bench.components.attention import Block
from msaf_bench.components.motion import DecoupledTransformer, VanillaTransformer
from msaf_bench.errors import UsageError

BLOCK = partial(Block, 8, heads=2, mlp_ratio=2)


def test_the_vanilla_transformer_attends_jointly():
    torch.manual_seed(0)
    motion = VanillaTransformer(3, BLOCK, layers=2).double()
    frames = torch.randn(2, 3, 8, 4, 5, dtype=torch.float64)
    tokens = frames.permute(0, 1, 3, 4, 2).flatten(1, 3)
    for block in motion.blocks:
        tokens = block(tokens)
    torch.testing.assert_close(motion(frames), tokens.unflatten(1, (3, 4, 5)).permute(0, 1, 4, 2, 3))


def test_the_decoupled_transformer_is_eqs_2_and_6():
    """Frame by frame and pixel by pixel, in float64."""
    torch.manual_seed(0)
    motion = DecoupledTransformer(3, BLOCK, partial(DeformableAlign, 8)).double()
    nn.init.normal_(motion.align[0].offset.bias)
    frames = torch.randn(1, 3, 8, 5, 6, dtype=torch.float64)
    spatial = []
    for t, rate in enumerate((4, 2, 1)):
        small = nn.functional.avg_pool2d(frames[:, t], rate, ceil_mode=True, count_include_pad=False)
        h, w = small.shape[-2:]
        mixed = motion.spatial[t](small.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(1, 8, h, w)
        spatial.append(nn.functional.interpolate(mixed, (5, 6), mode="bilinear"))
    aligned = [motion.align[0](spatial[0]), motion.align[1](spatial[1]), spatial[2]]
    out = motion(frames)
    for i in range(5):
        for j in range(6):
            tokens = torch.stack([a[:, :, i, j] for a in aligned], 1)
            torch.testing.assert_close(out[..., i, j], motion.temporal(tokens))


def test_odd_sizes_are_rounded_up():
    motion = DecoupledTransformer(3, BLOCK, NoAlign)
    sizes = []
    motion.spatial[0].register_forward_hook(lambda m, x, y: sizes.append(y.shape[1]))
    motion(torch.randn(1, 3, 8, 9, 13))
    assert sizes == [3 * 4]


def test_parts_of_the_past_reach_the_newest_frame():
    torch.manual_seed(0)
    motion = DecoupledTransformer(3, BLOCK, NoAlign)
    frames = torch.randn(1, 3, 8, 4, 4, requires_grad=True)
    motion(frames)[:, -1].square().sum().backward()
    assert all(frames.grad[:, t].abs().max() > 0 for t in range(3))


def test_a_pyramid_needs_a_rate_for_each_frame():
    with pytest.raises(UsageError, match="pyramid"):
        DecoupledTransformer(3, BLOCK, NoAlign, pyramid=(2, 1))
