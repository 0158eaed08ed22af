"""The exact counts against independent counters, and against the clock's plain facts."""

import sys

import pytest
import torch
from torch.utils.flop_counter import flop_registry

from msaf_bench.analyzers.attention.clock import MOST_MACS, estimated_bytes, time_forward
from msaf_bench.analyzers.attention.complexity import TRANSFORMERS, Grid, cost_at
from msaf_bench.analyzers.attention.transformers import build, count_all


@pytest.mark.slow
@pytest.mark.parametrize(("grid", "width"), [(Grid(1, 1), 8), (Grid(7, 5), 64), (Grid(16, 12), 32)])
def test_every_counter_agrees_to_the_unit(grid: Grid, width: int) -> None:
    before = dict(flop_registry)
    counts = count_all(*grid, width)
    assert {name: count.macs for name, count in counts.items()} == dict.fromkeys(
        ("torch", "ptflops", "fvcore"), cost_at(grid, width).totals
    ), counts
    assert flop_registry == before


@pytest.mark.slow
@pytest.mark.parametrize(("grid", "width"), [(Grid(97, 97), 512), (Grid(128, 256), 256)])
def test_torch_agrees_at_full_size_without_memory(grid: Grid, width: int) -> None:
    counts = count_all(*grid, width)
    assert counts["torch"].macs == counts["ptflops"].macs == cost_at(grid, width).totals
    assert counts["fvcore"].macs is None
    assert "1024 pixels" in counts["fvcore"].reason


def test_a_size_beyond_64_bits_is_refused_with_a_reason() -> None:
    counts = count_all(10**9, 10**9, 64)
    assert all(count.macs is None and count.reason for count in counts.values())


@pytest.mark.slow
@pytest.mark.parametrize("package", ["fvcore", "ptflops"])
def test_a_counter_that_cannot_be_imported_leaves_the_others(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    counts = count_all(4, 4, 8)
    assert counts.pop(package).reason == f"{package} is not installed"
    assert all(count.macs == cost_at(Grid(4, 4), 8).totals for count in counts.values())


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_transformer_gives_the_shape_that_it_takes(name: str) -> None:
    clip = torch.randn(1, 3, 16, 5, 7)
    with torch.inference_mode():
        assert build(name, 16)(clip).shape == clip.shape


@pytest.mark.slow
def test_a_forward_is_timed_in_its_own_process() -> None:
    forward = time_forward("d_transformer", 24, 24, 64, 1)
    assert not forward.reason
    assert forward.fastest
    assert forward.seconds
    assert forward.slowest
    assert 0 < forward.fastest <= forward.seconds <= forward.slowest
    assert forward.runs >= 3
    assert forward.threads >= 1
    if forward.peak_bytes is not None:
        assert 0 < forward.peak_bytes < estimated_bytes("d_transformer", 24, 24, 64)


@pytest.mark.slow
def test_what_is_out_of_reach_says_so() -> None:
    assert "MAC" in time_forward("transformer", 97, 97, 256, MOST_MACS + 1).reason
    assert "GiB" in time_forward("transformer", 2**20, 2**20, 256, 1).reason
    # 8 heads do not divide 9
    assert "ended with 1" in time_forward("transformer", 4, 4, 9, 1).reason
