"""Parts that are not live: over seeds, in verdicts, in every table and figure."""

import csv
import io
import re
from collections import Counter
from dataclasses import replace

import pytest

from msaf_bench.claims.verdicts import claims_of
from msaf_bench.findings.parts import parts_of
from msaf_bench.records import Pulse
from msaf_bench.report.figures.accuracy import differences
from msaf_bench.report.figures.canvas import LOOK, to_bytes
from msaf_bench.report.figures.charts import variant_charts
from msaf_bench.report.figures.classes import classes
from msaf_bench.report.figures.past import past_frames
from msaf_bench.report.kinds import view_of
from msaf_bench.report.page.page import to_html
from msaf_bench.report.tables.pulse import pulse_table
from msaf_bench.report.tables.values import to_csv
from msaf_bench.report.tables.variants import to_latex, to_markdown

DEAD = "w/o Semantics"
WHY = "align of w/o Semantics is not live in 2 of 5 seeds: 2.0% of its taps lie inside the map"


def rows_of(summary):
    return {row.label: row for row in summary.rows}


def test_a_part_is_live_only_in_every_seed(moved):
    rows = rows_of(moved)
    assert (rows[DEAD].live, rows["MSAF"].live) == (False, True)
    part = {part.name: part for part in rows[DEAD].parts}["align"]
    assert (part.seeds, part.dead, part.reason) == (5, 2, WHY.partition(" is ")[2])
    assert part.changed == pytest.approx((3 * 40 + 2 * 0.4) / 5)
    assert part.miou == pytest.approx((3 * 12 + 2 * 0.1) / 5)
    assert part.gradient == pytest.approx((3 * 0.9 + 2e-7) / 5)
    # the worst of each
    assert dict(part.gauges) == {"inside": 0.02, "offset_rms": 60.0, "varying": 1.0}
    assert rows[DEAD].ill == WHY
    assert [part.name for part in rows["Motion only"].parts] == ["entry", "align", "motion", "past"]


@pytest.mark.slow
def test_failed_and_missing_seeds_count_nowhere(make_moving, moved):
    def change(records, trials):
        dead = [
            t
            for t in trials
            if t.system["assign"].use == "none"
            and t.system["state"].use == "apm"
            and t.system["motion"].use != "none"
        ]
        assert {t.seed for t in dead} == set(range(5))
        ids = {t.seed: t.id for t in dead}
        failed = records[ids[3]].model_copy(
            update={"state": "failed", "reason": "killed", "confusion": None}
        )
        return {**{i: r for i, r in records.items() if i != ids[1]}, ids[3]: failed}

    pulses = {(label, seed): p for label, seed, p in ((DEAD, s, moved_pulse(s)) for s in (1, 3))}
    row = rows_of(make_moving(pulses, change=change))[DEAD]
    assert (row.live, row.state, {part.seeds for part in row.parts}) == (
        True,
        "partial 3/5 seeds",
        {3},
    )
    assert parts_of([]) == ()


def moved_pulse(seed, part="align"):
    return Pulse(part=part, live=False, reason=f"seed {seed}", changed=0.0)


@pytest.mark.slow
def test_a_negative_control_may_ignore_its_past_and_no_other(moved, make_moving):
    strangers = next(c for c in moved.controls if c.role == "negative")
    assert strangers.live
    assert not {part.name: part for part in strangers.parts}["past"].live
    past = {("Concatenation", 0): moved_pulse(0, "past")}
    assert next(c for c in make_moving(past).controls if c.role == "positive").live is False


def test_nothing_is_concluded_from_a_row_that_is_not_live(moved):
    verdicts = {(v.better, v.worse): v for v in moved.verdicts}
    dead = verdicts["MSAF", DEAD]
    assert (dead.word, dead.against) == ("not comparable", WHY)
    assert dead.difference is not None  # the number stays
    assert "not comparable" not in {v.word for ends, v in verdicts.items() if DEAD not in ends}
    assert rows_of(moved)[DEAD].against == WHY
    assert rows_of(moved)["Baseline"].against == ""
    assert moved.agreement.rows == moved.omnibus.rows == 8


@pytest.mark.slow
def test_a_dead_reference_row_leaves_nothing_to_compare(make_moving):
    summary = make_moving({("MSAF", 0): moved_pulse(0)})
    assert {v.word for v in summary.verdicts if "MSAF" in (v.better, v.worse)} == {"not comparable"}
    assert {v.word for v in summary.verdicts if "MSAF" not in (v.better, v.worse)} == {
        "same direction here"
    }
    assert all(row.against for row in summary.rows if row.label != "MSAF")


@pytest.mark.slow
def test_claims_are_not_comparable_and_counted_apart(moved, make_moving):
    found = {claim.id: claim for claim in claims_of(moved) if claim.scope == "run"}
    ordering, cell = found[f"table3: MSAF > {DEAD}"], found[f"table3: {DEAD}: miou"]
    assert (ordering.verdict, ordering.reason.startswith(WHY)) == ("not comparable", True)
    assert WHY in cell.reason
    live, dead = (
        Counter(c.verdict for c in claims_of(s) if c.scope == "run") for s in (make_moving(), moved)
    )
    assert dead["not comparable"] == live["not comparable"] + 1
    assert dead["undecided here"] == live["undecided here"] - 1


@pytest.mark.slow
def test_records_without_pulses_are_judged_as_before_with_one_note(summary):
    assert {row.live for row in summary.rows} == {None}
    assert "not comparable" not in {v.word for v in summary.verdicts}
    assert summary.notes == (
        ("No pulse was taken for any row, so it is unknown whether all parts are live."),
    )
    assert pulse_table(summary) is None
    page = to_html(view_of(summary), [])
    assert page.count("No pulse was taken") == 1
    assert "‡" not in page


@pytest.mark.slow
def test_one_row_without_pulses_is_named(make_moving):
    def change(records, trials):
        old = {t.id for t in trials if t.system["motion"].use == "transformer"}
        return {
            i: r.model_copy(update={"pulses": ()}) if i in old else r for i, r in records.items()
        }

    assert make_moving(change=change).notes == (
        ("No pulse was taken for Baseline + TR, so it is unknown whether all parts are live."),
    )


def test_the_table_has_a_cell_per_part_and_a_legend_with_the_limits(moved):
    table = pulse_table(moved)
    assert table is not None
    assert set(table.parts) == {"entry", "align", "motion", "state", "assign", "past"}
    assert table.parts[-1] == "past"
    lines = {line[0]: dict(zip(table.parts, line[1:], strict=True)) for line in table.texts()}
    assert lines[f"{DEAD} ‡"]["align"] == "not live, 24.2 % (inside 2.0%, offset_rms 60.0)"
    assert lines["MSAF"]["align"] == "live, 40.0 % (inside 97.0%, offset_rms 0.6)"
    assert lines["Baseline"]["align"] == "–"  # noqa: RUF001
    assert lines["Strangers"]["past"] == "not live, 0.05 %"
    said = " ".join(table.legend)
    for words in (
        "live from 0.1 %",
        "inside: at least 50.0% of its taps lie inside the map",
        "an rms of n cells (no limit)",
        "0.10% of its weight",
    ):
        assert words in said, words


@pytest.mark.slow
def test_every_format_marks_it_with_its_reason(moved):
    for text in (
        to_markdown(view_of(moved)),
        to_latex(view_of(moved)).replace(r"\%", "%").replace(r"\ddag{}", "‡"),
        to_html(view_of(moved), []),
    ):
        assert f"{DEAD} ‡" in text
        assert (
            "align not live in 2 of 5 seeds: 2.0% of its taps lie inside the map"
            in text.replace("align of w/o Semantics is not", "align not")
        )
        assert "Pulse of the parts".lower() in text.lower()
    lines = {line["row"]: line for line in csv.DictReader(io.StringIO(to_csv(view_of(moved))))}
    assert (lines[DEAD]["live"], lines[DEAD]["dead_parts"], lines[DEAD]["kind"]) == (
        "0",
        "align",
        "row",
    )
    assert (lines["MSAF"]["live"], lines["MSAF"]["dead_parts"]) == ("1", "")


@pytest.mark.slow
def test_every_figure_marks_it_with_its_reason(moved, summary):
    for chart in variant_charts(view_of(moved)):
        said = " ".join(text.get_text() for text in chart.figure.texts)
        assert WHY in " ".join(said.split()), chart.name
    assert not any(
        "not live" in text.get_text()
        for chart in variant_charts(view_of(summary))
        for text in chart.figure.texts
    )


@pytest.mark.slow
def test_the_difference_is_drawn_apart(moved):
    chart = differences(view_of(moved))
    assert chart is not None
    (axes,) = chart.figure.axes
    markers = [
        line.get_marker() for line in axes.lines if line.get_marker() not in ("", "None", None)
    ]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert markers[labels.index(f"{DEAD} ‡")] == LOOK["none"][1]
    assert markers.count(LOOK["none"][1]) == 1
    assert "not comparable" in [text.get_text() for text in chart.figure.legends[0].get_texts()]


@pytest.mark.slow
def test_its_contribution_is_hollow(moved):
    chart = past_frames(view_of(moved))
    assert chart is not None
    points = [line for line in chart.figure.axes[0].lines if line.get_marker() == "o"]
    assert [line.get_markerfacecolor() != line.get_color() for line in points] == [
        False,
        False,
        False,
        True,
        False,
        False,
    ]


@pytest.mark.slow
def test_the_page_says_it_at_the_top_and_gives_no_first_place(make_moving):
    summary = make_moving({("w/o DCN", 0): moved_pulse(0, "motion")})  # the largest mIoU
    page = to_html(view_of(summary), [])
    assert page.index("motion of w/o DCN is not live in 1 of 5 seeds: seed 0") < page.index(
        'id="table"'
    )
    assert "1 of " in page
    assert "parts not live: rows with such a part support no conclusion" in page
    assert re.search(r"\d not comparable", page)


@pytest.mark.slow
def test_figures_have_room_for_many_reasons(make_moving, moved):
    many = {
        (row.label, seed): moved_pulse(seed, row.parts[0].name)
        for row in moved.rows
        for seed in range(5)
    }
    many |= {
        ("Concatenation", 0): moved_pulse(0),
        ("Strangers", 0): moved_pulse(0, "entry"),
        ("Oracle alignment", 0): moved_pulse(0, "motion"),
    }
    summary = make_moving(many)
    for chart, other in zip(
        variant_charts(view_of(summary)), variant_charts(view_of(make_moving())), strict=True
    ):
        assert chart.figure.get_figheight() > other.figure.get_figheight()
        assert to_bytes(chart.figure, "svg")
    few = replace(summary, rows=summary.rows * 3)
    said = " ".join(text.get_text() for text in classes(view_of(few)).figure.texts)
    assert "more parts listed on the page" in " ".join(said.split())
