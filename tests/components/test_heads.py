import pytest
import torch

from msaf_bench.components.heads import FCNHead, PSPHead, PyramidPooling
from msaf_bench.ports import Stages


def stages(h=7, w=10):
    torch.manual_seed(1)
    return Stages(*(torch.randn(2, c, h, w, dtype=torch.float64) for c in (4, 8, 16)))


def upright(x, h, w):
    """Bilinear interpolation with the corners aligned, one pixel at a time."""
    n = x.shape[-1]
    out = x.new_zeros(*x.shape[:2], h, w)
    for i in range(h):
        for j in range(w):
            u, v = i * (n - 1) / (h - 1), j * (n - 1) / (w - 1)
            a, b = min(int(u), n - 1), min(int(v), n - 1)
            c, d = min(a + 1, n - 1), min(b + 1, n - 1)
            top = x[..., a, b] * (1 - (v - b)) + x[..., a, d] * (v - b)
            low = x[..., c, b] * (1 - (v - b)) + x[..., c, d] * (v - b)
            out[..., i, j] = top * (1 - (u - a)) + low * (u - a)
    return out


def test_pyramid_pooling_is_the_means_of_cells_brought_back():
    torch.manual_seed(0)
    pool, x = PyramidPooling(16).double().eval(), stages().f5
    parts = [x]
    for bins, branch in zip((1, 2, 3, 6), pool.branches, strict=True):
        means = x.new_zeros(2, 16, bins, bins)
        for i in range(bins):
            for j in range(bins):
                rows, columns = (
                    (k * n // bins, -(-(k + 1) * n // bins)) for k, n in ((i, 7), (j, 10))
                )
                means[..., i, j] = x[..., slice(*rows), slice(*columns)].mean((-2, -1))
        parts.append(upright(branch(means), 7, 10))
    torch.testing.assert_close(pool(x), torch.cat(parts, 1))


@pytest.mark.parametrize("head", [FCNHead, PSPHead])
def test_a_head_is_its_three_steps(head):
    torch.manual_seed(0)
    net, x = head((4, 8, 16), 5, width=12).double().eval(), stages()
    features = net.features(x)
    assert features.shape == (2, net.width, 7, 10)
    torch.testing.assert_close(net.mix(net.context(x)), features)
    torch.testing.assert_close(net(x), net.classify(features))
    assert net(x).shape == (2, 5, 7, 10)


def test_dropout_takes_whole_channels_in_training_alone():
    net = FCNHead((4, 8, 16), 5, width=12, dropout=0.5)
    ones = torch.ones(1, 12, 3, 4)
    torch.manual_seed(0)
    assert net.train().dropout(ones).flatten(2).unique(dim=2).shape[2] == 1
    assert set(net.dropout(torch.ones(1, 999, 1, 1)).unique().tolist()) == {0.0, 2.0}
    torch.testing.assert_close(net.eval().dropout(ones), ones)
