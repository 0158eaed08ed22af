import pytest
import torch

from msaf_bench.components.align import DeformableAlign


@pytest.mark.slow
@pytest.mark.parametrize("grid", [(97, 97), (128, 256)])
def test_half_precision_does_not_move_the_places_that_a_dcn_reads(grid):
    """With zero offsets it is a convolution, also under autocast and on maps too large for bfloat16
    coordinates.
    """
    torch.manual_seed(0)
    align, frame = DeformableAlign(4), torch.randn(1, 4, *grid)
    plain = torch.nn.functional.conv2d(frame, align.weight, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        half = align(frame.bfloat16(), frame.bfloat16())
    assert (half.float() - plain).norm() / plain.norm() < 0.01
