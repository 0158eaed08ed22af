import math

import pytest
import torch

from msaf_bench import build
from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.architectures import stt
from msaf_bench.catalog import read_system
from msaf_bench.errors import UsageError
from msaf_bench.spec import System


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small(**options):
    torch.manual_seed(0)
    slots = {"backbone": {"use": "resnet18", "width": 8}, "head": {"use": "fcn", "width": 16}}
    return build(
        System(architecture="stt", slots=slots, options={"width": 16, "heads": 2, **options}), 5
    )


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return stt.SparseAttention(16, heads=2, share=0.5).double()


def keys_of(row, column, h, w):
    """Frame, row and column of every key: 7x7 around the place in the last frame, every second of
    11x11 in the one before.
    """
    near = [(0, row + y, column + x) for y in range(-3, 4) for x in range(-3, 4)]
    far = [(1, row + y, column + x) for y in (-5, -3, -1, 1, 3, 5) for x in (-5, -3, -1, 1, 3, 5)]
    assert len(near + far) == 85
    return [(t, y, x) for t, y, x in near + far if 0 <= y < h and 0 <= x < w]


def one_place(net, token, memory, row, column, h, w):
    """What becomes of one token (d), from memory (2, h, w, d / 4 + d), one head after the other."""
    query, mixed = net.query(net.norm1(token)), []
    kept = torch.stack([memory[t, y, x] for t, y, x in keys_of(row, column, h, w)])
    for head in range(2):
        q = query[2 * head : 2 * head + 2]
        weights = [math.exp(float(q @ k) / math.sqrt(2)) for k in kept[:, 2 * head : 2 * head + 2]]
        values = kept[:, 4 + 8 * head : 4 + 8 * head + 8]
        mixed.append(
            sum(weight * value for weight, value in zip(weights, values, strict=True))
            / sum(weights)
        )
    token = token + net.out(torch.cat(mixed))
    return token + net.mlp(net.norm2(token))


@pytest.mark.slow
@pytest.mark.parametrize("most", [4096, 7])
def test_sparse_attention_changes_the_most_changed_half_by_the_windows(
    attention, monkeypatch, most
):
    monkeypatch.setattr(stt, "MAX_QUERIES", most)
    h, w = 7, 9
    features, changes = randn(2, 16, h, w), randn(2, h, w, seed=1)
    past = [randn(2, 16, h, w, seed=s) for s in (2, 3)]
    with torch.no_grad():
        memory = torch.stack([attention.remember(x) for x in past], 1)
        got = attention(features, changes, memory)
        grids = memory.view(2, 2, h, w, 20)
        for b in range(2):
            chosen = set(changes[b].flatten().argsort(descending=True)[:32].tolist())
            for place in range(h * w):
                row, column = divmod(place, w)
                token = features[b, :, row, column]
                expected = (
                    one_place(attention, token, grids[b], row, column, h, w)
                    if place in chosen
                    else token
                )
                torch.testing.assert_close(got[b, :, row, column], expected)


def test_change_is_one_minus_the_cosine():
    newest, last = randn(2, 6, 3, 4), randn(2, 6, 3, 4, seed=1)
    torch.testing.assert_close(stt.change(newest, last), 1 - torch.cosine_similarity(newest, last))
    assert (stt.change(newest, newest.clone()) == 0).all()
    torch.testing.assert_close(stt.change(newest, 3 * newest), torch.zeros(2, 3, 4).double())


def test_the_past_is_read_in_order():
    net = small(share=1.0).eval()
    torch.manual_seed(1)
    clip = torch.randn(1, 3, 3, 48, 64)
    with torch.inference_mode():
        assert not torch.allclose(net(clip).logits, net(clip[:, (1, 0, 2)]).logits)


def test_a_stream_keeps_keys_and_values_of_two_frames():
    net = small().eval()
    with torch.inference_mode():
        stream = net.stream()
        for _ in range(4):
            stream.step(torch.randn(2, 3, 32, 48))
    assert [tuple(x.shape) for x in stream.memory] == [(2, 24, 20)] * 2
    assert tuple(stream.last.shape) == (2, 16, 4, 6)


def test_the_auxiliary_head_is_for_training_alone():
    net, clip = small(), torch.randn(2, 3, 3, 32, 48)
    labels = torch.randint(5, (2, 32, 48))
    out = net.train()(clip)
    alone = net.loss(out._replace(aux={}), labels)
    as_result = net.loss(out._replace(logits=out.aux["auxiliary"], aux={}), labels)
    torch.testing.assert_close(net.loss(out, labels), alone + 0.4 * as_result)
    assert net.eval()(clip).aux == {}


@pytest.mark.slow
def test_half_of_the_queries_cost_half():
    """At 1024x2048: queries, windows, output and MLP of 16,384 places a frame; keys and values of
    the newest frame's 32,768.
    """
    half = system_cost("stt-r18", 19, (1024, 2048), mode="stream")
    whole = system_cost(
        read_system("stt-r18").swap(options={"share": 1.0}), 19, (1024, 2048), mode="stream"
    )
    keys = 32_768 * 256 * 320
    query = 256 * 64 + 85 * (64 + 256) + 256 * 256 + 2 * 256 * 512
    assert sum(half.macs["temporal"].values()) == keys + 16_384 * query
    assert sum(whole.macs["temporal"].values()) == keys + 32_768 * query


def test_bad_options_are_named():
    with pytest.raises(UsageError, match="choose a divisor"):
        small(heads=3)
    with pytest.raises(UsageError, match="above 0"):
        small(share=0.0)
    with pytest.raises(UsageError, match="reads 3 frames"):
        small()(torch.randn(1, 2, 3, 32, 48))
