import pytest
import torch

from msaf_bench.components.blocks.resize import resize


def read(row, place):
    """A row of numbers at a place between two of them; its ends stand for what is beyond."""
    place = min(max(place, 0), len(row) - 1)
    left = min(int(place), len(row) - 2)
    return row[left] * (1 - (place - left)) + row[left + 1] * (place - left)


@pytest.mark.parametrize(
    ("corners", "place"), [(False, lambda j: (j + 0.5) * 3 / 7 - 0.5), (True, lambda j: j * 2 / 6)]
)
def test_places_are_aligned_at_the_borders_or_at_the_corners(corners, place):
    x = torch.tensor([[[[1.0, 4.0, 2.0], [3.0, -2.0, 5.0]]]], dtype=torch.float64)
    clip = torch.empty(1, 5, 3, 2, 7)  # of a clip the last two sides count
    expected = torch.tensor([[float(read(row, place(j))) for j in range(7)] for row in x[0, 0]])
    torch.testing.assert_close(resize(x, clip, corners=corners)[0, 0], expected.double())


def test_a_map_of_that_size_is_given_back():
    x = torch.randn(2, 3, 4, 5)
    assert resize(x, torch.empty(4, 5)) is x
