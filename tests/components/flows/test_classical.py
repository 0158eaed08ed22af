import pytest
import torch

from msaf_bench.components.flows.classical import DISFlow, ZeroFlow
from msaf_bench.data.flow.estimators import estimate
from msaf_bench.data.street import make_video
from msaf_bench.data.transforms import MEAN, STD
from msaf_bench.errors import UsageError


def normalised(pictures):
    return (
        (torch.from_numpy(pictures).float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    ).permute(0, 3, 1, 2)


def test_dis_is_that_of_the_pictures_behind_the_frames():
    pictures = make_video(1, 3, (48, 64)).images
    frames = normalised(pictures)
    flow = DISFlow()(frames[:2], frames[1:])
    assert flow.shape == (2, 2, 48, 64)
    assert flow.abs().max() > 0.5
    for i in range(2):
        expected = estimate("dis", pictures[i], pictures[i + 1]).forward
        torch.testing.assert_close(flow[i].permute(1, 2, 0), torch.from_numpy(expected))


def test_dis_runs_without_content_and_names_frames_it_cannot_take():
    assert DISFlow()(*torch.empty(2, 3, 3, 16, 24, device="meta")).shape == (3, 2, 16, 24)
    with pytest.raises(UsageError, match="8x24 are too small"):
        DISFlow()(*torch.zeros(2, 1, 3, 8, 24))


def test_zero_flow_is_on_the_frames_grid():
    assert torch.equal(ZeroFlow()(*torch.randn(2, 1, 3, 8, 24)), torch.zeros(1, 2, 8, 24))
