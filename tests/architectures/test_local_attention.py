import pytest
import torch

from msaf_bench.architectures.lma.attention import local_attention


def by_pixel(query, keys, values, window):
    """The same, place by place: outside the image a key and a value are zero."""
    b, _, h, w = query.shape
    out = torch.zeros(b, values[0].shape[1], h, w, dtype=query.dtype)
    r = window // 2
    for y in range(h):
        for x in range(w):
            places = [(i, j) for i in range(y - r, y + r + 1) for j in range(x - r, x + r + 1)]
            inside = [0 <= i < h and 0 <= j < w for i, j in places]
            logits, read = [], []
            for key, value in zip(keys, values, strict=True):
                for (i, j), there in zip(places, inside, strict=True):
                    logits.append(
                        (query[:, :, y, x] * key[:, :, i, j]).sum(1)
                        if there
                        else torch.zeros(b, dtype=query.dtype)
                    )
                    read.append(value[:, :, i, j] if there else torch.zeros_like(value[:, :, 0, 0]))
            weights = torch.stack(logits, 1).softmax(1)
            out[:, :, y, x] = (weights[:, :, None] * torch.stack(read, 1)).sum(1)
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("b", "frames", "size", "window"),
    [
        (1, 1, (1, 1), 3),
        (2, 3, (5, 9), 3),
        (1, 2, (9, 6), 5),
        (1, 1, (4, 13), 1),
        (2, 2, (3, 4), 21),
        (1, 1, (12, 11), 9),
    ],
)
def test_every_pixel_reads_its_window_in_all_frames(b, frames, size, window):
    torch.manual_seed(0)
    query = torch.randn(b, 3, *size, dtype=torch.float64)
    keys = [torch.randn(b, 3, *size, dtype=torch.float64) for _ in range(frames)]
    values = [torch.randn(b, 4, *size, dtype=torch.float64) for _ in range(frames)]
    tensors = [t.requires_grad_() for t in (query, *keys, *values)]
    expected, got = (
        by_pixel(query, keys, values, window),
        local_attention(query, keys, values, window=window),
    )
    torch.testing.assert_close(got, expected)
    direction = torch.randn_like(expected)
    for found, wanted in zip(
        *(torch.autograd.grad((out * direction).sum(), tensors) for out in (got, expected)),
        strict=True,
    ):
        torch.testing.assert_close(found, wanted)


def test_large_logits_do_not_overflow():
    query = torch.full((1, 1, 2, 2), 1e3)
    values = torch.arange(4.0).view(1, 1, 2, 2)
    got = local_attention(query, [values], [values], window=3)
    torch.testing.assert_close(got, torch.full_like(got, 3))
