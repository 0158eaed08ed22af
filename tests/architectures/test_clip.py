import pytest
import torch

from msaf_bench.architectures.clip import newest
from msaf_bench.errors import UsageError


def test_the_newest_frames_are_the_last():
    clip = torch.arange(4.0).view(1, 4, 1, 1, 1).expand(1, 4, 3, 2, 2)
    assert newest(clip, 3)[0, :, 0, 0, 0].tolist() == [1, 2, 3]
    with pytest.raises(UsageError, match="reads 5 frames, the clip has 4"):
        newest(clip, 5)
