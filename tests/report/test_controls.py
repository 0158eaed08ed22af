"""Controls: told apart by their conditions, compared with the row of one frame, shown apart, and
ranked nowhere.
"""

import csv
import io
import json
from dataclasses import replace

import pytest
from markupsafe import escape

from msaf_bench.documents import json_text
from msaf_bench.errors import UsageError
from msaf_bench.findings.motion import motion_of
from msaf_bench.findings.power import power_of
from msaf_bench.findings.summarise import summarise
from msaf_bench.report.console import print_summary
from msaf_bench.report.document import to_json
from msaf_bench.report.figures.accuracy import differences, order
from msaf_bench.report.figures.canvas import CONTROL
from msaf_bench.report.figures.classes import classes
from msaf_bench.report.figures.past import past_frames
from msaf_bench.report.kinds import view_of
from msaf_bench.report.page.page import to_html
from msaf_bench.report.render import render
from msaf_bench.report.tables.controls import control_heads, control_legend, control_texts
from msaf_bench.report.tables.values import to_csv
from msaf_bench.report.tables.variants import to_latex, to_markdown
from msaf_bench.spec import Trial
from msaf_bench.stats import mean_interval, paired_difference, paired_power

NAMES = ["Concatenation", "Oracle alignment", "Strangers"]


def test_one_system_under_three_pasts_is_three_controls(moved):
    assert [c.label for c in moved.controls] == NAMES
    assert [c.role for c in moved.controls] == ["positive", "bound", "negative"]
    assert [c.past_frames for c in moved.controls] == ["real", "aligned", "strangers"]
    assert len({c.system.key for c in moved.controls}) == 1
    assert len({run.trial for c in moved.controls for run in c.runs}) == 15
    assert len({c.interval.mean for c in moved.controls}) == 3
    assert all(c.interval == mean_interval(list(c.measured.values())) for c in moved.controls)


@pytest.mark.slow
def test_they_are_compared_with_the_row_that_reads_one_frame(moved, make_moving):
    assert moved.single == "Baseline"  # not "State only" or "w/o Motion", which read one frame too
    baseline = moved.rows[0].measured
    assert all(c.gain == paired_difference(c.measured, baseline) for c in moved.controls)

    # a Baseline that is scored with its newest frame repeated reads several
    def more(records, trials):
        mine = {t.id for t in trials if t.system.key == moved.rows[0].system.key}
        return {
            i: r.model_copy(update={"still": r.confusion}) if i in mine else r
            for i, r in records.items()
        }

    other = make_moving(change=more)
    assert other.single == ""
    assert all(c.gain is None for c in other.controls)
    assert "difference" not in " ".join(control_heads(other))


@pytest.mark.slow
def test_another_reading_is_compared_with_the_reference_row_and_a_single_control_stands_in(
    table, moved, make_moving
):
    def in_role(role):
        return tuple(
            (label, c.model_copy(update={"role": role}) if label == "Oracle alignment" else c)
            for label, c in table.controls
        )

    reading = make_moving(table=table.model_copy(update={"controls": in_role("reading")})).controls[
        1
    ]
    assert (reading.compared, reading.gain) == (
        "MSAF",
        paired_difference(reading.measured, moved.rows[-1].measured),
    )
    rows = tuple(row for row in table.rows if row[0] != "Baseline")
    alone = make_moving(
        table=table.model_copy(update={"controls": in_role("single"), "rows": rows})
    )
    assert (alone.single, alone.controls[1].gain, alone.controls[1].compared) == (
        "Oracle alignment",
        None,
        "",
    )
    assert alone.controls[0].gain == paired_difference(
        alone.controls[0].measured, alone.controls[1].measured
    )


@pytest.mark.slow
def test_controls_change_nothing_in_the_comparison_of_the_rows(make, moved, make_moving):
    with_them, without = make_moving(), make()
    assert [row.difference for row in with_them.rows] == [row.difference for row in without.rows]
    assert [row.difference for row in with_them.rows] == [row.difference for row in without.rows]
    assert [v.difference for v in with_them.verdicts] == [v.difference for v in without.verdicts]
    assert (with_them.agreement, with_them.omnibus, with_them.effects) == (
        without.agreement,
        without.omnibus,
        without.effects,
    )


def test_a_control_may_differ_in_its_past_alone(table, systems, conditions):
    trials = [Trial(system=systems["MSAF"], conditions=conditions, seed=0)]
    other = conditions.model_copy(update={"past": "strangers", "steps": 7})
    with pytest.raises(
        UsageError, match="control 'Strangers' differs from the rows in more than 'past'"
    ):
        summarise(table, systems, trials, {}, controls={"Strangers": (systems["MSAF"], other)})
    same = conditions.model_copy(update={"past": "strangers"})
    control = Trial(system=systems["MSAF"], conditions=same, seed=0)
    found = summarise(
        table, systems, [*trials, control], {}, controls={"Strangers": (systems["MSAF"], same)}
    )
    assert [c.state for c in found.controls] == ["missing"]
    assert [run.trial for run in found.rows[-1].runs] == [trials[0].id]


@pytest.mark.slow
def test_a_failed_control_is_listed_and_fails_no_report(make_moving):
    def change(records, trials):
        gone = [t.id for t in trials if t.conditions.past == "aligned"]
        return records | {
            i: (
                records[i].model_copy(
                    update={"state": "failed", "reason": "no flow", "confusion": None}
                )
            )
            for i in gone
        }

    summary = make_moving(change=change)
    assert {label for label, _ in summary.failed} == {"Oracle alignment"}
    assert "failed: no flow" in to_markdown(view_of(summary))
    assert "no flow" in to_html(view_of(summary), [])


def test_the_table_of_controls(moved):
    heads = control_heads(moved)
    assert heads[-3:] == ("difference", "to", "state")
    cells = dict(zip(heads, control_texts(moved, moved.controls[1]), strict=True))
    assert (cells["Control"], cells["role"], cells["its past frames"], cells["seeds"]) == (
        "Oracle alignment",
        "bound",
        "aligned",
        "5",
    )
    assert cells["to"] == "Baseline"
    said = " ".join(control_legend(moved))
    assert (
        "Contribution of past frames: mIoU minus the mIoU with the newest frame repeated." in said
    )
    assert "strangers, frames of another video" in said
    assert "Concatenation: features side by side." in said


@pytest.mark.slow
@pytest.mark.parametrize("make_text", [to_markdown, to_latex, lambda view: to_html(view, [])])
def test_every_format_has_them_in_a_block_of_their_own_below_the_rows(moved, summary, make_text):
    text = make_text(view_of(moved))
    first = [text.index(name) for name in NAMES]
    text = text[text.index("80.4") :]  # the last row of the first table
    assert all(name in text for name in NAMES), first
    assert "past frames" in text
    assert motion_of(moved).sentence.partition(" (")[0] in make_text(view_of(moved))
    assert "Concatenation" not in make_text(view_of(summary))


@pytest.mark.slow
def test_csv_ends_with_the_controls(moved):
    lines = list(csv.DictReader(io.StringIO(to_csv(view_of(moved)))))
    assert [line["row"] for line in lines[-3:]] == NAMES
    assert [line["kind"] for line in lines] == ["row"] * 9 + ["positive", "bound", "negative"]
    assert all(
        line["published_miou"] == line["difference"] == line["p"] == line["ahead"] == ""
        for line in lines[-3:]
    )
    assert float(lines[-3]["measured_miou"]) == pytest.approx(
        moved.controls[0].interval.mean, abs=1e-3
    )
    assert float(lines[-3]["past"]) == pytest.approx(moved.controls[0].measures.past.mean, abs=1e-4)
    assert len({line["conditions"] for line in lines}) == 3  # real, aligned, strangers


def labels(axes):
    return [tick.get_text() for tick in axes.get_yticklabels()]


@pytest.mark.slow
@pytest.mark.parametrize("draw", [order, past_frames])
def test_figures_draw_them_apart_below_a_line(moved, draw):
    chart = draw(view_of(moved))
    roles = ["Concatenation (positive)", "Oracle alignment (bound)", "Strangers (negative)"]
    by_miou = [roles[1], roles[0], roles[2]]
    assert labels(chart.figure.axes[0])[-3:] == (by_miou if draw is order else roles)
    axes = chart.figure.axes[-1]
    points = {
        round(float(line.get_ydata()[0]), 2): line
        for line in axes.lines
        if line.get_marker() in ("o", "D")
    }
    controls = [line for y, line in points.items() if y > 8.5]
    assert len(controls) == 3
    assert {(line.get_color(), line.get_marker()) for line in controls} == {(CONTROL, "D")}
    assert {line.get_marker() for y, line in points.items() if y < 8.5} == {"o"}
    assert any(list(line.get_ydata()) == [8.65, 8.65] for line in axes.lines)
    assert len(chart.lines) == 12


@pytest.mark.slow
def test_other_figures_have_the_rows_alone(moved):
    assert not set(NAMES) & {
        line[0]
        for chart in (differences(view_of(moved)), classes(view_of(moved)))
        for line in chart.lines
    }


@pytest.fixture(scope="module")
def rendered(moved, tmp_path_factory):
    """The folder of the report."""
    folder = tmp_path_factory.mktemp("moved")
    render(view_of(moved), folder)
    return folder


@pytest.mark.slow
def test_the_past_is_on_the_first_screen_and_no_figure_without_it(moved, summary, rendered):
    page = (rendered / "table3.html").read_text()
    assert page.index(str(escape(motion_of(moved).sentence))) < page.index('id="table"')
    assert (rendered / "figures" / "table3_past.svg").exists()
    assert past_frames(view_of(summary)) is None


@pytest.mark.slow
def test_the_document(moved, make_moving, rendered):
    document = json.loads((rendered / "table3.json").read_text(), parse_constant=pytest.fail)
    assert document == json.loads(json_text(to_json(view_of(moved))))
    rows = {row["label"]: row for row in document["rows"]}
    msaf, own = rows["MSAF"], moved.rows[-1]
    assert msaf["miou"] == {
        "mean": own.interval.mean,
        "low": own.interval.low,
        "high": own.interval.high,
        "n": 5,
    }
    assert msaf["past"]["mean"] == own.measures.past.mean
    assert (rows["Baseline"]["past"], rows["w/o Semantics"]["live"], msaf["live"]) == (
        None,
        False,
        True,
    )
    align = next(part for part in rows["w/o Semantics"]["parts"] if part["part"] == "align")
    assert set(align) == {"part", "live", "reason", "gradient", "changed", "miou", "gauges"}
    assert (align["live"], align["gauges"]["inside"]) == (False, 0.02)
    assert [(c["label"], c["role"], c["past_frames"]) for c in document["controls"]][2] == (
        "Strangers",
        "negative",
        "strangers",
    )
    words = {(c["better"], c["worse"]): c for c in document["comparisons"]}
    assert words["MSAF", "w/o Semantics"]["word"] == "not comparable"
    assert set(words["MSAF", "Baseline"]) >= {"better", "worse", "word", "difference", "p"}
    assert document["motion"] == {"answerable": True, "sentence": motion_of(moved).sentence}
    assert document["detectable"] == power_of(moved).detectable
    earlier = {
        "table",
        "conditions",
        "hosts",
        "seeds",
        "rows",
        "verdicts",
        "claims",
        "kendall_tau_b",
        "friedman_p",
        "best_constant",
    }
    assert earlier <= set(document)


@pytest.mark.slow
def test_the_document_has_null_and_never_nan(make_moving):
    one = make_moving(seeds=[0], change=lambda records, _: dict(list(records.items())[3:]))
    text = json_text(to_json(view_of(one)))
    assert "NaN" not in text
    document = json.loads(text, parse_constant=pytest.fail)
    assert (
        document["detectable"],
        document["rows"][0]["miou"],
        document["motion"]["answerable"],
    ) == (None, None, False)
    assert document["rows"][-1]["miou"]["low"] is None
    broken = replace(one, agreement=replace(one.agreement, tau=float("nan")))
    assert to_json(view_of(broken))["kendall_tau_b"] is None


@pytest.mark.slow
def test_detectable_is_seen_four_times_in_five(moved):
    power = power_of(moved)
    level = 1 - 0.05 / power.family
    assert paired_power(power.detectable, power.sd, power.seeds, level) == pytest.approx(
        0.8, abs=1e-6
    )
    assert power_of(replace(moved, rows=moved.rows[-1:])) is None


@pytest.mark.slow
def test_the_terminal_fits_80_columns(moved, whole, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for summary in (moved, whole):
        print_summary(view_of(summary))
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 80
    print_summary(view_of(moved))
    said = " ".join(capsys.readouterr().out.split())
    assert motion_of(moved).sentence in said
    assert "Concatenation (positive)" in said
    assert "‡ align of w/o Semantics is not live in 2 of 5 seeds" in said
    assert "not comparable MSAF beats w/o Semantics" in said
