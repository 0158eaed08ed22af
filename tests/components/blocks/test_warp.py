from itertools import product
from math import floor

import pytest
import torch

from msaf_bench.components.blocks.warp import resize_flow, warp
from msaf_bench.errors import UsageError


def slow_warp(x, flow, outside):
    """Each pixel by itself: the four neighbours of where flow leads, weighted by nearness."""
    h, w = x.shape[-2:]
    y = torch.zeros_like(x)
    for row, column in product(range(h), range(w)):
        dx, dy = flow[:, row, column].tolist()
        if outside == "border":
            place = min(max(row + dy, 0), h - 1), min(max(column + dx, 0), w - 1)
        else:
            place = row + dy, column + dx
        top, left = floor(place[0]), floor(place[1])
        for i, j in product((top, top + 1), (left, left + 1)):
            if 0 <= i < h and 0 <= j < w:
                y[:, row, column] += (1 - abs(place[0] - i)) * (1 - abs(place[1] - j)) * x[:, i, j]
    return y


@pytest.mark.parametrize("outside", ["border", "zeros"])
def test_warping_reads_bilinearly_where_flow_leads(outside):
    torch.manual_seed(0)
    x, flow = torch.randn(2, 3, 5, 7).double(), 4 * torch.randn(2, 2, 5, 7).double()
    expected = torch.stack([slow_warp(a, b, outside) for a, b in zip(x, flow, strict=True)])
    torch.testing.assert_close(warp(x, flow, outside=outside), expected)


@pytest.mark.parametrize("outside", ["border", "zeros"])
def test_no_flow_gives_the_map(outside):
    x = torch.randn(1, 2, 6, 9)
    torch.testing.assert_close(
        warp(x, torch.zeros(1, 2, 6, 9), outside=outside), x, rtol=0, atol=1e-5
    )


def test_a_large_map_in_half_precision_is_read_where_flow_leads():
    x = torch.randn(1, 1, 4, 600).bfloat16()
    flow = torch.tensor((3.0, 0.0)).view(1, 2, 1, 1).expand(1, 2, 4, 600).bfloat16()
    torch.testing.assert_close(warp(x, flow)[..., :597], x[..., 3:], rtol=0, atol=2e-2)


def test_whole_pixels_lead_to_pixels_and_past_the_edge_to_what_was_asked_for():
    x = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.tensor((1.0, 0.0)).view(1, 2, 1, 1).expand(1, 2, 3, 4)
    torch.testing.assert_close(warp(x, flow)[..., :3], x[..., 1:])
    torch.testing.assert_close(warp(x, flow)[..., 3], x[..., 3])
    assert (warp(x, flow, outside="zeros")[..., 3] == 0).all()
    with pytest.raises(UsageError, match="did you mean"):
        warp(x, flow, outside="zero")


def test_flow_on_another_grid_is_in_that_grids_pixels():
    flow = torch.tensor((8.0, -4.0)).view(1, 2, 1, 1).expand(1, 2, 16, 32)
    small = resize_flow(flow, (4, 16))
    torch.testing.assert_close(
        small, torch.tensor((4.0, -1.0)).view(1, 2, 1, 1).expand(1, 2, 4, 16)
    )
    assert resize_flow(flow, (16, 32)) is flow
