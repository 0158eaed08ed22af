"""Where the positive control finds nothing in past frames, ignoring them is right."""

from types import SimpleNamespace

import pytest

from msaf_bench.findings.parts import excused, parts_of
from msaf_bench.findings.subjects import Part
from msaf_bench.findings.summarise import _nothing_to_find
from msaf_bench.records import Pulse
from msaf_bench.stats import mean_interval


def part(name, quiet=2):
    return Part(
        name=name,
        seeds=3,
        dead=2,
        quiet=quiet,
        why="no pixel changes",
        gradient=None,
        changed=0.0,
        miou=0.0,
        gauges=(),
    )


def control(role, values):
    return SimpleNamespace(
        role=role, measures=SimpleNamespace(past=mean_interval(values) if values else None)
    )


def test_the_past_and_a_quiet_aligner_of_it_are_excused_and_no_other_part():
    assert [p.live for p in excused((part("past"), part("align"), part("state")))] == [
        True,
        True,
        False,
    ]
    assert not excused((part("align", quiet=1),))[0].live


def test_an_aligner_off_the_map_or_without_gradient_is_not_quiet():
    fine = Pulse(
        part="align", live=False, gradient=0.1, silent=0.0, changed=0.01, gauges={"inside": 0.95}
    )
    sick = [
        fine.model_copy(update={"gauges": (("inside", 0.02),)}),
        fine.model_copy(update={"gradient": 0.0}),
    ]
    (align,) = parts_of([SimpleNamespace(pulses=(pulse,)) for pulse in (fine, *sick)])
    assert (align.dead, align.quiet) == (3, 1)
    assert not excused((align,))[0].live


def test_nothing_is_to_be_found_only_where_every_positive_control_includes_zero():
    flat, gains = control("positive", [0.1, -0.1, 0.0]), control("positive", [2.0, 2.1, 2.2])
    assert _nothing_to_find([flat])
    assert not _nothing_to_find([flat, gains])
    assert not _nothing_to_find([control("negative", [0.1, -0.1, 0.0])])
    assert not _nothing_to_find([control("positive", [0.1])])
    assert not _nothing_to_find([control("positive", [])])
    assert not _nothing_to_find([])


@pytest.mark.slow
def test_an_excused_reference_row_leaves_every_difference_standing(make_moving):
    dead = {("MSAF", 0): Pulse(part="past", live=False, reason="no pixel changes", changed=0.0)}
    assert all(row.against for row in make_moving(dead).rows if row.difference)

    def nothing(records, trials):
        return {
            i: record.model_copy(update={"still": record.confusion}) if record.still else record
            for i, record in records.items()
        }

    flat = make_moving(dead, change=nothing)
    assert not any(row.dead or row.against for row in flat.rows)
    assert "not comparable" not in {verdict.word for verdict in flat.verdicts}
