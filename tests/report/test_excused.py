"""Where the positive control finds nothing in past frames, ignoring them is right."""

from types import SimpleNamespace

from msaf_bench.report.parts import excused
from msaf_bench.report.subjects import Part
from msaf_bench.report.summary import _nothing_to_find
from msaf_bench.stats import mean_interval


def part(name):
    return Part(name=name, seeds=3, dead=2, why="no pixel changes", gradient=None, changed=0.0, miou=0.0, gauges=())


def control(role, values):
    return SimpleNamespace(role=role, measures=SimpleNamespace(past=mean_interval(values) if values else None))


def test_the_past_is_excused_and_no_other_part():
    past, align = excused((part("past"), part("align")))
    assert past.live
    assert not align.live


def test_nothing_is_to_be_found_only_where_every_positive_control_includes_zero():
    flat, gains = control("positive", [0.1, -0.1, 0.0]), control("positive", [2.0, 2.1, 2.2])
    assert _nothing_to_find([flat])
    assert not _nothing_to_find([flat, gains])
    assert not _nothing_to_find([control("negative", [0.1, -0.1, 0.0])])
    assert not _nothing_to_find([control("positive", [0.1])])
    assert not _nothing_to_find([control("positive", [])])
    assert not _nothing_to_find([])
