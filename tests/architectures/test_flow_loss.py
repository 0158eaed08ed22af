import math

import pytest
import torch

from msaf_bench.architectures.efc.flow_loss import (
    balanced_cross_entropy,
    masked_mean,
    occlusion,
    photometric,
    smoothness,
    ssim,
)


def image(seed, *size):
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_ssim(a, b):
    """Pixel by pixel, from the definition."""
    out = torch.zeros_like(a)
    n, c, h, w = a.shape
    for i, j, y, x in (
        (i, j, y, x) for i in range(n) for j in range(c) for y in range(h) for x in range(w)
    ):
        p, q = (v[i, j, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] for v in (a, b))
        covariance = ((p - p.mean()) * (q - q.mean())).mean()
        light = (2 * p.mean() * q.mean() + 1e-4) / (p.mean() ** 2 + q.mean() ** 2 + 1e-4)
        out[i, j, y, x] = (
            light * (2 * covariance + 9e-4) / (p.var(unbiased=False) + q.var(unbiased=False) + 9e-4)
        )
    return out


def slow_occlusion(back):
    """Sends every pixel to the four pixels around its end."""
    b, _, h, w = back.shape
    got = torch.zeros(b, 1, h, w, dtype=torch.float64)
    for i, y, x in ((i, y, x) for i in range(b) for y in range(h) for x in range(w)):
        end_x, end_y = x + float(back[i, 0, y, x]), y + float(back[i, 1, y, x])
        for row in range(h):
            for column in range(w):
                got[i, 0, row, column] += max(0, 1 - abs(end_x - column)) * max(
                    0, 1 - abs(end_y - row)
                )
    return (got < 0.5).double()


def test_ssim_is_its_definition():
    a, b = image(0, 2, 3, 5, 6), image(1, 2, 3, 5, 6)
    torch.testing.assert_close(ssim(a, b), slow_ssim(a, b))


def test_the_photometric_error_is_85_parts_structure_and_15_colour():
    a, b = image(0, 1, 3, 5, 6), image(1, 1, 3, 5, 6)
    expected = 0.85 * (1 - slow_ssim(a, b)).clamp(0, 2) / 2 + 0.15 * (a - b).abs()
    torch.testing.assert_close(photometric(a, b).double(), expected, rtol=1e-4, atol=1e-5)
    assert photometric(a, a).abs().max() < 1e-6


def test_occluded_is_what_nothing_comes_back_to():
    back = 6 * image(2, 2, 2, 5, 7) - 3
    torch.testing.assert_close(occlusion(back), slow_occlusion(back))
    assert 0 < occlusion(back).mean() < 1
    away = torch.zeros(1, 2, 3, 4)
    away[:, 0] = 1.0  # everything came from one pixel further left: the left column had no source
    assert occlusion(away)[0, 0].tolist() == [[1, 0, 0, 0]] * 3


def test_smoothness_gives_way_at_edges():
    flow, flat = torch.zeros(1, 2, 4, 6), torch.zeros(1, 3, 4, 6)
    flow[..., 3:] = 2.0
    edge = flat.clone()
    edge[..., 3:] = 0.5
    assert smoothness(flow, flat) == pytest.approx(2 / 5)
    assert smoothness(flow, edge) == pytest.approx(2 / 5 * math.exp(-5))
    assert smoothness(torch.ones(1, 2, 4, 6), flat) == 0


def test_a_rare_class_weighs_as_much_as_a_common_one():
    logits, target = torch.zeros(1, 1, 4, 5), torch.zeros(1, 1, 4, 5)
    target[0, 0, 0, 0] = 1
    logits[0, 0, 0, 0] = -3.0
    expected = (math.log(1 + math.exp(3)) + math.log(2)) / 2
    assert balanced_cross_entropy(logits, target) == pytest.approx(expected)
    assert balanced_cross_entropy(logits, torch.zeros_like(target)) > 0


def test_the_mean_over_nothing_is_0():
    assert masked_mean(image(0, 1, 3, 4, 4), torch.zeros(1, 1, 4, 4)) == 0
    x = image(0, 1, 3, 4, 4)
    half = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    half[..., :2] = 1
    torch.testing.assert_close(masked_mean(x, half), x[..., :2].mean())
