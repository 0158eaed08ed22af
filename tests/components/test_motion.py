from functools import partial

import pytest
import torch
from torch import nn

from msaf_bench.components.align import DeformableAlign, NoAlign
from msaf_bench.components.blocks.attention import Block
from msaf_bench.components.motion import Concatenation, DecoupledTransformer, VanillaTransformer
from msaf_bench.errors import UsageError

BLOCK = partial(Block, 8, heads=2, mlp_ratio=2)


def test_the_vanilla_transformer_attends_jointly():
    torch.manual_seed(0)
    motion = VanillaTransformer(3, 8, BLOCK, layers=2).double()
    frames = torch.randn(2, 3, 8, 4, 5, dtype=torch.float64)
    tokens = frames.permute(0, 1, 3, 4, 2).flatten(1, 3)
    for block in motion.blocks:
        tokens = block(tokens)
    torch.testing.assert_close(
        motion(frames), tokens.unflatten(1, (3, 4, 5)).permute(0, 1, 4, 2, 3)
    )


def test_the_decoupled_transformer_is_eqs_2_and_6():
    """Frame by frame and pixel by pixel, in float64."""
    torch.manual_seed(0)
    motion = DecoupledTransformer(3, 8, BLOCK, partial(DeformableAlign, 8)).double()
    nn.init.normal_(motion.align[0].offset.bias)
    frames = torch.randn(1, 3, 8, 5, 6, dtype=torch.float64)
    spatial = []
    for t, rate in enumerate((4, 2, 1)):
        small = nn.functional.avg_pool2d(
            frames[:, t], rate, ceil_mode=True, count_include_pad=False
        )
        h, w = small.shape[-2:]
        mixed = (
            motion.spatial[t](small.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(1, 8, h, w)
        )
        spatial.append(nn.functional.interpolate(mixed, (5, 6), mode="bilinear"))
    aligned = [
        motion.align[0](spatial[0], spatial[2]),
        motion.align[1](spatial[1], spatial[2]),
        spatial[2],
    ]
    out = motion(frames)
    for i in range(5):
        for j in range(6):
            tokens = torch.stack([a[:, :, i, j] for a in aligned], 1)
            torch.testing.assert_close(out[..., i, j], motion.temporal(tokens))


def test_odd_sizes_are_rounded_up():
    motion = DecoupledTransformer(3, 8, BLOCK, NoAlign)
    sizes = []
    motion.spatial[0].register_forward_hook(lambda m, x, y: sizes.append(y.shape[1]))
    motion(torch.randn(1, 3, 8, 9, 13))
    assert sizes == [3 * 4]


@pytest.mark.parametrize(("least", "tokens"), [(0, 2 * 4), (4, 4 * 8), (8, 8 * 16), (9, 8 * 16)])
def test_no_map_gets_smaller_than_it_may(least, tokens):
    motion = DecoupledTransformer(3, 8, BLOCK, NoAlign, least=least)
    sizes = []
    motion.spatial[0].register_forward_hook(lambda m, x, y: sizes.append(y.shape[1]))
    motion(torch.randn(1, 3, 8, 8, 16))
    assert sizes == [tokens]


def test_parts_of_the_past_reach_the_newest_frame():
    torch.manual_seed(0)
    motion = DecoupledTransformer(3, 8, BLOCK, NoAlign)
    frames = torch.randn(1, 3, 8, 4, 4, requires_grad=True)
    motion(frames)[:, -1].square().sum().backward()
    assert all(frames.grad[:, t].abs().max() > 0 for t in range(3))


def test_a_pyramid_needs_a_rate_for_each_frame():
    with pytest.raises(UsageError, match="pyramid"):
        DecoupledTransformer(3, 8, BLOCK, NoAlign, pyramid=(2, 1))


def test_concatenation_reads_every_frame_at_its_own_place():
    torch.manual_seed(0)
    motion = Concatenation(3, 8, NoAlign).eval()
    frames = torch.randn(1, 3, 8, 4, 4, requires_grad=True)
    out = motion(frames)
    assert out.shape == (1, 1, 8, 4, 4)
    out[0, 0, :, 1, 2].sum().backward()
    reached = frames.grad.abs().sum((0, 2))
    assert all(reached[t, 1, 2] > 0 for t in range(3))
    assert reached.sum() == reached[:, 1, 2].sum()


def test_a_code_of_time_tells_the_frames_apart():
    """Without one the vanilla transformer is a set: which past frame is which changes nothing."""
    torch.manual_seed(0)
    frames = torch.randn(1, 3, 8, 4, 4)
    swapped = frames[:, [1, 0, 2]]
    for time, same in (("none", True), ("learned", False)):
        motion = VanillaTransformer(3, 8, BLOCK, layers=1, time=time)
        assert torch.allclose(motion(frames)[:, -1], motion(swapped)[:, -1], atol=1e-6) is same


def test_the_weight_on_the_past_is_that_of_the_attention():
    torch.manual_seed(0)
    block, tokens = BLOCK().double(), torch.randn(5, 3, 8, dtype=torch.float64)
    x = block.norm1(tokens)
    q, k, _ = (part.unflatten(-1, (2, 4)) for part in block.attention.qkv(x).chunk(3, -1))
    total = 0.0
    for n in range(5):
        for head in range(2):
            logits = torch.stack([(q[n, 2, head] * k[n, j, head]).sum() / 2 for j in range(3)])
            total += logits.softmax(0)[:2].sum().item()
    assert block.weight_on(tokens, 2).item() == pytest.approx(total / 10)
