import math

import pytest
import torch
from torch import nn

from msaf_bench.components.align import DeformableAlign, deformable_conv2d, inside
from msaf_bench.components.gauges import listening
from msaf_bench.errors import UsageError
from msaf_bench.liveness import complaint


def direct_sum(x, offset, weight, border="zeros"):
    """Eq. 5 pixel by pixel, in float64."""
    b, c, h, w = x.shape
    d, _, k, _ = weight.shape

    def read(image, channel, row, column):
        total = 0.0
        for i in (math.floor(row), math.floor(row) + 1):
            for j in (math.floor(column), math.floor(column) + 1):
                share = (1 - abs(row - i)) * (1 - abs(column - j))
                if border == "nearest":
                    total += (
                        image[channel, min(max(i, 0), h - 1), min(max(j, 0), w - 1)].item() * share
                    )
                elif 0 <= i < h and 0 <= j < w:
                    total += image[channel, i, j].item() * share
        return total

    out = torch.zeros(b, d, h, w, dtype=torch.float64)
    for n in range(b):
        for i in range(h):
            for j in range(w):
                for point in range(k * k):
                    row = i + point // k - k // 2 + offset[n, 2 * point, i, j].item()
                    column = j + point % k - k // 2 + offset[n, 2 * point + 1, i, j].item()
                    for channel in range(c):
                        out[n, :, i, j] += weight[:, channel, point // k, point % k] * read(
                            x[n], channel, row, column
                        )
    return out


@pytest.mark.slow
@pytest.mark.parametrize("border", ["zeros", "nearest"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_deformable_convolution_is_the_direct_sum(kernel, border):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    # far enough to leave the map
    offset = 3 * torch.randn(2, 2 * kernel**2, 5, 6, dtype=torch.float64)
    weight = torch.randn(4, 3, kernel, kernel, dtype=torch.float64)
    torch.testing.assert_close(
        deformable_conv2d(x, offset, weight, border=border), direct_sum(x, offset, weight, border)
    )


def test_without_offsets_it_is_a_convolution():
    x = torch.randn(1, 3, 7, 9, dtype=torch.float64)
    weight = torch.randn(2, 3, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(
        deformable_conv2d(x, x.new_zeros(1, 18, 7, 9), weight),
        nn.functional.conv2d(x, weight, padding=1),
    )


def test_a_whole_offset_is_a_shift():
    x = torch.randn(1, 1, 6, 6, dtype=torch.float64)
    offset = x.new_zeros(1, 2, 6, 6)
    offset[:, 0], offset[:, 1] = 1, -2  # (dy, dx)
    moved = deformable_conv2d(x, offset, x.new_ones(1, 1, 1, 1))
    torch.testing.assert_close(moved[..., :-1, 2:], x[..., 1:, :-2])
    assert moved[..., -1, :].abs().max() == 0


@pytest.mark.slow
def test_gradients_reach_input_offset_and_weight():
    torch.manual_seed(0)
    x, offset, weight = (
        torch.randn(s, dtype=torch.float64, requires_grad=True)
        for s in ((1, 2, 4, 4), (1, 18, 4, 4), (2, 2, 3, 3))
    )
    assert torch.autograd.gradcheck(deformable_conv2d, (x, offset, weight))


def test_against_torchvision():
    try:
        from torchvision.ops import deform_conv2d
    except Exception as error:  # noqa: BLE001  (its wheel raises RuntimeError beside a CPU torch)
        pytest.skip(f"torchvision cannot be imported: {type(error).__name__}")
    torch.manual_seed(0)
    x, offset = (
        torch.randn(2, 8, 9, 11, dtype=torch.float64),
        4 * torch.randn(2, 18, 9, 11, dtype=torch.float64),
    )
    weight = torch.randn(8, 8, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(
        deformable_conv2d(x, offset, weight), deform_conv2d(x, offset, weight, padding=1)
    )


def test_the_offsets_start_at_zero_and_learn():
    align = DeformableAlign(4)
    frame = torch.randn(1, 4, 6, 6)
    assert align.offsets(frame, frame).abs().max() == 0
    align(frame, frame).square().sum().backward()
    assert align.offset.weight.grad.abs().max() > 0


def test_an_even_kernel_is_refused():
    with pytest.raises(UsageError, match="odd"):
        DeformableAlign(4, kernel=2)


@pytest.mark.parametrize(("reach", "rate"), [(-1.0, 1.0), (2.0, 0.0)])
def test_a_bound_or_rate_that_means_nothing_is_refused(reach, rate):
    with pytest.raises(UsageError, match="reach"):
        DeformableAlign(4, reach=reach, rate=rate)


def test_an_identity_start_gives_the_past_frame_as_it_is():
    torch.manual_seed(0)
    past, newest = torch.randn(2, 8, 5, 6), torch.randn(2, 8, 5, 6)
    torch.testing.assert_close(DeformableAlign(8, start="identity")(past, newest), past)


def test_offsets_stay_within_their_reach_whatever_the_weights():
    align = DeformableAlign(4, reach=0.25)
    nn.init.normal_(align.offset.weight, std=1000)
    offset = align.offsets(torch.randn(1, 4, 8, 12), torch.randn(1, 4, 8, 12))
    assert offset.abs().max() <= 2
    assert inside(offset, 3) > 0.7


def test_normalised_offsets_do_not_follow_the_size_of_the_features():
    torch.manual_seed(0)
    align = DeformableAlign(4, norm=True)
    nn.init.normal_(align.offset.weight)
    past, newest = torch.randn(1, 4, 6, 6), torch.randn(1, 4, 6, 6)
    torch.testing.assert_close(
        align.offsets(past, newest), align.offsets(1000 * past, newest), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("reads", ["past", "both"])
def test_the_offsets_read_the_frames_that_they_are_said_to(reads):
    torch.manual_seed(0)
    align = DeformableAlign(4, reads=reads)
    nn.init.normal_(align.offset.weight)
    past, newest, other = (torch.randn(1, 4, 6, 6) for _ in range(3))
    assert torch.equal(align.offsets(past, newest), align.offsets(past, other)) is (reads == "past")


def test_the_share_of_taps_inside_is_counted_tap_by_tap():
    torch.manual_seed(0)
    offset, k, h, w = 4 * torch.randn(1, 18, 5, 7), 3, 5, 7
    count = 0
    for i in range(h):
        for j in range(w):
            for point in range(k * k):
                row = i + point // k - 1 + offset[0, 2 * point, i, j].item()
                column = j + point % k - 1 + offset[0, 2 * point + 1, i, j].item()
                count += -1 <= row <= h and -1 <= column <= w
    assert inside(offset, k).item() == pytest.approx(count / (h * w * k * k))


def test_offsets_that_are_stuck_at_their_bound_are_not_live():
    align = DeformableAlign(4, reach=0.25)
    nn.init.constant_(align.offset.bias, 1000.0)
    with listening() as listener:
        align(torch.randn(1, 4, 8, 12), torch.randn(1, 4, 8, 12))
    gauges = {name: value for _, name, value in listener.readings}
    assert gauges["inside"] > 0.5
    assert "at their bound" in complaint(gauges)
