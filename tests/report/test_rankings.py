"""Rank agreement of whole systems with the paper: which rows are compared, and what is never
decided.
"""

from collections.abc import Callable

import pytest
from scipy.stats import kendalltau

from msaf_bench.findings.rankings import rankings
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import entries
from msaf_bench.report.figures.charts import system_charts
from msaf_bench.report.kinds import view_of
from msaf_bench.report.page.page import to_html

MakeSystems = Callable[..., Summary]


def by_kind(summary: Summary) -> dict[tuple[str, str, str], object]:
    return {(r.ours, r.paper, r.rows): r for r in rankings(entries(summary))}


def test_comparable_rows_have_no_dagger_and_are_the_systems_themselves(whole: Summary):
    found = by_kind(whole)
    speed, every = (found["FPS stream", "printed FPS", rows] for rows in ("comparable", "all"))
    assert (speed.found.rows, every.found.rows) == (8, 11)
    assert (speed.verdict, speed.found.tau) == ("agrees", 1.0)
    assert every.verdict == "not comparable"
    assert ("mIoU", "printed mIoU of test", "comparable") not in found  # one row


def test_val_is_never_mixed_with_test(whole: Summary):
    found = by_kind(whole)["mIoU", "printed mIoU of val", "comparable"]
    kept = [
        e
        for e in entries(whole)
        if e.miou and "miou" in e.printed and "miou" not in e.daggers and not e.style
    ]
    assert found.found.rows == len(kept) == 9
    assert found.found.tau == pytest.approx(
        kendalltau([e.miou for e in kept], [e.printed["miou"] for e in kept]).statistic
    )


def test_cost_explains_speed_where_fewer_macs_are_faster(whole: Summary):
    found = by_kind(whole)["GMAC stream, fewer first", "printed FPS", "comparable"]
    assert (found.found.tau, found.verdict) == (1.0, "agrees")


@pytest.mark.slow
def test_a_time_that_is_not_ranked_has_no_part(make_systems: MakeSystems):
    one = make_systems(
        flags={"Other 2": (("unstable", "wide"),), "Other 3": (("not converged", ""),)}
    )
    found = by_kind(one)["FPS stream", "printed FPS", "comparable"]
    assert (found.found.rows, found.verdict) == (7, "undecided")  # seven rows are too few


@pytest.mark.slow
def test_where_no_time_may_be_ranked_there_is_no_front_and_the_page_stands(
    make_systems: MakeSystems,
):
    flags = {label: (("unstable", ""),) for label, *_ in make_systems().table.rows}
    summary = make_systems(flags=flags)
    assert ("FPS stream", "printed FPS", "comparable") not in by_kind(summary)
    assert view_of(summary).tradeoffs[0].front == ()
    assert "none, because no time may be ranked" in system_charts(view_of(summary))[0].description
    assert "in mIoU and FPS stream together" not in to_html(view_of(summary), [])
