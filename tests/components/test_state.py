from functools import partial

import pytest
import torch

from msaf_bench.components.blocks.attention import Block
from msaf_bench.components.state import Concat, NoState, StageTransformer
from msaf_bench.errors import UsageError
from msaf_bench.ports import Stages

BLOCK = partial(Block, 8, heads=2, mlp_ratio=2)
CHANNELS = (4, 6, 10)


def maps():
    torch.manual_seed(0)
    return Stages(*(torch.randn(1, c, 3, 4) for c in CHANNELS)), torch.randn(1, 8, 3, 4)


def test_the_stage_transformer_attends_among_four_tokens_of_each_pixel():
    stages, dynamic = maps()
    state = StageTransformer(CHANNELS, 8, BLOCK, fuse="last").eval()
    projected = [entry(f) for entry, f in zip(state.entry, stages, strict=True)]
    out = state(stages, dynamic)
    for i in range(3):
        for j in range(4):
            tokens = torch.stack([m[:, :, i, j] for m in (*projected, dynamic)], 1)
            torch.testing.assert_close(out[..., i, j], state.block(tokens)[:, -1])


@pytest.mark.parametrize("fuse", ["concat", "mean", "last"])
@pytest.mark.parametrize("f5", [True, False])
def test_every_fusion_gives_d_channels(fuse, f5):
    stages, dynamic = maps()
    state = StageTransformer(CHANNELS, 8, BLOCK, f5=f5, fuse=fuse).eval()
    assert state(stages, dynamic).shape == dynamic.shape
    changed = stages._replace(f5=stages.f5 + 1)
    assert torch.equal(state(changed, dynamic), state(stages, dynamic)) is not f5


def test_without_state_the_dynamic_features_pass():
    stages, dynamic = maps()
    assert NoState()(stages, dynamic) is dynamic
    assert Concat(CHANNELS, 8)(stages, dynamic).shape == dynamic.shape


def test_an_unknown_fusion_is_named():
    with pytest.raises(UsageError, match="concat"):
        StageTransformer(CHANNELS, 8, BLOCK, fuse="concatt")
