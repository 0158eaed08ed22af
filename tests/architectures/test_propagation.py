import math

import torch
from torch.nn import functional

from msaf_bench.architectures.tdnet.propagation import (
    AttentionPropagation,
    Encoding,
    PlaneNorm,
    group_alone,
    group_of,
)


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_propagation_is_the_softmax_of_every_query_over_all_keys():
    attend = AttentionPropagation(6, dropout=0.5).double().eval()
    query, key, value = randn(2, 4, 3, 5), randn(2, 4, 2, 3, seed=1), randn(2, 6, 2, 3, seed=2)
    got = attend(query, key, value)
    weight, bias = attend.mix.weight[:, :, 0, 0], attend.mix.bias
    for b in range(2):
        for y in range(3):
            for x in range(5):
                scores = [
                    float(query[b, :, y, x] @ key[b, :, i, j]) / 2
                    for i in range(2)
                    for j in range(3)
                ]
                shares = [math.exp(s) / sum(map(math.exp, scores)) for s in scores]
                read = sum(share * value[b, :, n // 3, n % 3] for n, share in enumerate(shares))
                torch.testing.assert_close(got[b, :, y, x], weight @ read + bias)


def test_propagation_drops_out_in_training_alone():
    attend, maps = (
        AttentionPropagation(6, dropout=0.5),
        [randn(1, n, 4, 4, seed=n).float() for n in (4, 4, 6)],
    )
    assert not torch.equal(attend.train()(*maps), attend(*maps))
    assert torch.equal(attend.eval()(*maps), attend(*maps))


def test_an_encoding_is_pointwise():
    encode = Encoding(5, key_width=3, width=4).double().eval()
    x = randn(1, 5, 7, 9)
    for whole, part in zip(encode(x), encode(x[..., ::4, ::4]), strict=True):
        torch.testing.assert_close(whole[..., ::4, ::4], part)


def test_the_plane_norm_is_a_layer_norm_on_its_own_grid():
    norm, x = PlaneNorm((4, 6)).double(), randn(2, 3, 4, 6)
    norm.weight.data, norm.bias.data = randn(4, 6, seed=1), randn(4, 6, seed=2)
    torch.testing.assert_close(
        norm(x), functional.layer_norm(x, (4, 6), norm.weight, norm.bias), rtol=0, atol=0
    )
    plane = x[1, 2]
    expected = (plane - plane.mean()) / (
        plane.var(correction=0) + 1e-5
    ).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(norm(x)[1, 2], expected)


def test_on_another_grid_the_plane_norms_affine_is_stretched_corner_to_corner():
    norm, x = PlaneNorm((4, 6)).double(), randn(1, 2, 7, 3)

    def ramp(h, w):
        return torch.linspace(1, 2, h, dtype=torch.float64)[:, None] + torch.linspace(
            0, 5, w, dtype=torch.float64
        )

    norm.weight.data, norm.bias.data = ramp(4, 6), -ramp(4, 6)
    plane = x[0, 1]
    expected = (plane - plane.mean()) / (plane.var(correction=0) + 1e-5).sqrt() * ramp(7, 3) - ramp(
        7, 3
    )
    torch.testing.assert_close(norm(x)[0, 1], expected)


def test_a_group_is_a_slice_of_the_features_and_of_each_mean():
    pyramid = torch.arange(32.0).view(1, 32, 1, 1)  # 16 features, four means of 4 channels
    assert group_of(pyramid, 1, 2).flatten().tolist() == [
        *range(8, 16),
        18,
        19,
        22,
        23,
        26,
        27,
        30,
        31,
    ]
    assert group_of(pyramid, 2, 4).flatten().tolist() == [8, 9, 10, 11, 18, 22, 26, 30]


def test_a_group_alone_reads_as_if_all_groups_were_like_it():
    pyramid, weight = randn(1, 32, 5, 6), randn(3, 32, 3, 3, seed=1)
    expected = 4 * functional.conv2d(group_of(pyramid, 2, 4), group_of(weight, 2, 4))
    torch.testing.assert_close(functional.conv2d(group_alone(pyramid, 2, 4), weight), expected)
