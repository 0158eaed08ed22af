"""What a run says of the paper's claims: comparable or not and why, and what follows from our
intervals.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from types import SimpleNamespace

import pytest

from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.claims.verdicts import WORDS, ClaimVerdict, claims_of, counted
from msaf_bench.findings.summary import Summary
from msaf_bench.report.kinds import view_of
from msaf_bench.report.tables.claims import claims_to_csv, claims_to_markdown
from msaf_bench.spec import Conditions, Row, Table
from msaf_bench.stats import mean_interval, prediction_interval

Make = Callable[..., Summary]
PAPER = read_conditions("paper", "cityscapes")


def by_id(summary: Summary) -> dict[str, ClaimVerdict]:
    return {claim.id: claim for claim in claims_of(summary) if claim.scope == "run"}


def printing(table: Table, label: str, paper: dict[str, float], **more) -> Table:
    """The table with other printed numbers in one row."""
    rows = (
        (name, Row.model_validate({**dict(row), "paper": paper, **more}) if name == label else row)
        for name, row in table.rows
    )
    return table.model_copy(update={"data": "cityscapes", "rows": tuple(rows)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("times", "verdict", "reason"),
    [
        (0.0, "reproduced", "the printed number lies in"),
        (0.95, "reproduced", "the printed number lies in"),
        (1.05, "undecided", "the interval for one more run of ours"),
        (4, "contradicted", "+"),
        (-4, "contradicted", "−"),  # noqa: RUF001
    ],
)
def test_a_number_printed_under_our_conditions_is_compared_with_one_more_run(
    make: Make, table: Table, times, verdict, reason
):
    row = make(table, conditions=PAPER).rows[0]
    one = prediction_interval(list(row.measured.values()))
    assert one.high is not None
    off = times * (one.high - one.mean)
    printed = printing(table, "Baseline", {"miou": one.mean + off})
    found = by_id(make(printed, conditions=PAPER))["table3: Baseline: miou"]
    assert found.verdict == verdict
    assert reason in found.reason
    assert "backbones start here from" in found.reason
    if verdict == "contradicted":
        assert f"{abs(off):.2f} points from our mean" in found.reason
    # four seeds hold almost any number
    for seeds, there in (([0], "is 1"), ([0, 1, 2, 3], "are 4")):
        few = by_id(make(printed, seeds=seeds, conditions=PAPER))["table3: Baseline: miou"]
        assert (few.verdict, few.reason) == (
            "undecided",
            f"the paper prints one run without spread; 5 seeds are needed, there {there}",
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("conditions", "reasons"),
    [
        (PAPER.model_copy(update={"steps": 10}), ["steps 10, not 80000"]),
        (PAPER.model_copy(update={"size": (512, 1024)}), ["size (512, 1024), not (1024, 2048)"]),
        (read_conditions("quick", "cityscapes"), ["the networks are shrunk", "preset quick"]),
        (read_conditions("paper", "camvid"), ["measured on camvid, printed for cityscapes"]),
        (read_conditions("smoke", "street"), ["measured on street", "shrunk", "preset smoke"]),
    ],
)
def test_other_conditions_are_not_comparable_and_named(
    make: Make, table: Table, conditions: Conditions, reasons: list[str]
):
    found = by_id(make(printing(table, "Baseline", {"miou": 60}), conditions=conditions))[
        "table3: Baseline: miou"
    ]
    assert found.verdict == "not comparable"
    assert all(reason in found.reason for reason in reasons)
    assert found.measured


@pytest.mark.slow
def test_what_has_no_part_in_the_miou_does_not_matter(make: Make, table: Table):
    conditions = PAPER.model_copy(
        update={"flow": "dis", "consistency": ("vspw2021",), "checkpoint_every": 7}
    )
    found = by_id(make(printing(table, "Baseline", {"miou": 1}), conditions=conditions))[
        "table3: Baseline: miou"
    ]
    assert found.verdict == "contradicted"


@pytest.mark.slow
def test_columns_and_cells_that_can_never_be_compared(make: Make, table: Table):
    printed = printing(
        table,
        "Baseline",
        {"miou": 60, "miou_test": 60, "tc": 70, "fps": 3},
        provenance={"miou": "another network"},
    )
    found = by_id(make(printed, conditions=PAPER))
    assert {
        found[f"table3: Baseline: {metric}"].verdict
        for metric in ("miou", "miou_test", "tc", "fps")
    } == {"not comparable"}
    assert "† another network" in found["table3: Baseline: miou"].reason
    assert found["table3: Baseline: miou"].printed == "60.0†"
    assert "val is scored" in found["table3: Baseline: miou_test"].reason
    assert "flow" in found["table3: Baseline: tc"].reason
    assert "hardware" in found["table3: Baseline: fps"].reason


def test_orderings_have_the_reports_verdicts(summary: Summary):
    found = by_id(summary)
    # the rest is implied by the printed numbers
    assert len(summary.verdicts) > len(summary.table.orderings)
    assert len([claim for claim in found.values() if claim.kind == "ordering"]) == len(
        summary.verdicts
    )
    for verdict in summary.verdicts:
        claim = found[f"table3: {verdict.better} > {verdict.worse}"]
        assert claim.verdict == verdict.word
        assert claim.verdict.endswith(" here")  # the conditions are not the paper's
        assert ("does not contain" in claim.reason) == (verdict.covers is False)
        assert "Other conditions: measured on street" in claim.reason
    assert found["table3: MSAF > w/o Motion"].printed == "+3.1"


@pytest.mark.slow
def test_undecided_says_what_the_seeds_could_have_seen(make: Make):
    two = as_shipped(make(seeds=[0, 1]))
    undecided = [
        claim
        for claim in claims_of(two)
        if claim.kind == "ordering" and claim.verdict == "undecided here"
    ]
    assert undecided
    assert all("2 seeds see an effect of" in claim.reason for claim in undecided)
    assert {
        claim.verdict
        for claim in claims_of(make(seeds=[3]))
        if (claim.scope, claim.kind) == ("run", "ordering")
    } == {"undecided here"}


def as_shipped(summary: Summary, name: str = "table3") -> Summary:
    """The made-up rows under the paper's own Table 3."""
    return replace(summary, table=read_table(name))


def test_a_table_of_the_paper_is_judged_whole(summary: Summary):
    few = replace(as_shipped(summary), rows=summary.rows[1:])
    found = by_id(few)
    assert len([c for c in found.values() if c.kind == "cell"]) == 9
    assert "Baseline is not in this run" in found["table3: Baseline: miou"].reason
    assert found["table3: Baseline + TR > Baseline"].verdict == "not comparable"
    assert found["table3: Baseline + TR > Baseline"].reason == "Baseline is not in this run"


def test_a_row_without_a_result_says_what_became_of_it(summary: Summary):
    failed = replace(
        summary.rows[0],
        runs=(replace(summary.rows[0].runs[0], state="failed", reason="out of memory", miou=None),),
    )
    found = by_id(replace(as_shipped(summary), rows=(failed, *summary.rows[1:])))[
        "table3: Baseline: miou"
    ]
    assert "Baseline: failed: out of memory" in found.reason


@pytest.mark.parametrize(
    ("params", "verdict"),
    [((9, 8), "reproduced"), ((8, 9), "contradicted"), ((8, 8), "contradicted")],
)
def test_parameters_are_counted_where_the_networks_are_the_published_ones(
    summary: Summary, make: Make, params, verdict
):
    given = {"Baseline + TR": params[0], "MSAF": params[1]}
    rows = tuple(replace(row, params=given.get(row.label, row.params)) for row in summary.rows)
    found = by_id(replace(as_shipped(summary), rows=rows, conditions=PAPER))["more-parameters"]
    assert (found.verdict, found.measured) == (verdict, f"{params[0]} against {params[1]}")
    shrunk = by_id(
        replace(as_shipped(summary), rows=rows, conditions=read_conditions("quick", "street"))
    )["more-parameters"]
    assert (shrunk.verdict, shrunk.reason) == (
        "not comparable",
        "the networks are shrunk, some parts more than others",
    )


def test_only_sentences_of_the_runs_table(summary: Summary):
    assert {c.kind for c in by_id(as_shipped(summary)).values()} == {
        "cell",
        "ordering",
        "parameters",
    }
    # a table of the user's, though of the same name
    assert {c.kind for c in by_id(summary).values()} == {"cell", "ordering"}


def table2(
    summary: Summary,
    scores: dict[str, float],
    fps: dict[str, float],
    flags: tuple[tuple[str, str], ...] = (),
) -> Summary:
    """Table 2 with rows that have a score in three seeds and a speed."""

    def row(label: str):
        offsets = (-0.1, 0.0, 0.1)
        runs = tuple(
            replace(summary.rows[0].runs[0], seed=i, miou=scores[label] + x)
            for i, x in enumerate(offsets)
        )
        seen = SimpleNamespace(
            fps=fps.get(label), conditions=SimpleNamespace(mode="stream"), host="here", flags=flags
        )
        speeds = (seen,) if label in fps else ()
        measures = replace(summary.rows[0].measures, speeds=speeds)
        interval = mean_interval([run.miou for run in runs])
        return replace(
            summary.rows[0], label=label, runs=runs, interval=interval, measures=measures
        )

    return replace(
        as_shipped(summary, "table2"), rows=tuple(row(label) for label in scores), verdicts=()
    )


ACCEL = [(f"MSAF ResNet{n}", f"Accel ResNet{n}") for n in (18, 50, 101)]


@pytest.mark.slow
def test_ratios_only_between_rows_timed_here(summary: Summary):
    labels = [label for pair in ACCEL for label in pair]
    scores = dict.fromkeys(labels, 70.0)
    fast = {label: 6.0 if "MSAF" in label else 2.0 for label in labels}
    assert by_id(table2(summary, scores, fast))["accel-ratio"].verdict == "same direction here"
    for word, verdict in (
        ("not converged", "same direction here"),
        ("unstable", "not comparable"),
        ("other output", "not comparable"),
    ):
        assert by_id(table2(summary, scores, fast, ((word, ""),)))["accel-ratio"].verdict == verdict
    slow = by_id(table2(summary, scores, fast | {"MSAF ResNet18": 2.0}))["accel-ratio"]
    assert slow.verdict == "opposite here"
    assert "MSAF ResNet18 / Accel ResNet18 1.00 (stream)" in slow.measured
    del fast["Accel ResNet18"]
    assert by_id(table2(summary, scores, fast))["accel-ratio"].verdict == "not comparable"
    del scores["Accel ResNet18"]
    absent = by_id(table2(summary, scores, {}))["accel-ratio"]
    assert absent.verdict == "not comparable"
    assert "Accel ResNet18 is not in this run" in absent.reason


@pytest.mark.slow
def test_best_needs_every_row_and_every_difference(summary: Summary):
    table = read_table("2")
    scores = {
        label: 72.0 if row.model == "MSAF" else 70.0
        for label, row in table.rows
        if "miou" in dict(row.paper)
    }
    name = "efficiency-camvid: miou"
    assert by_id(table2(summary, scores, {}))[name].verdict == "same direction here"
    assert (
        by_id(table2(summary, scores | {"STT PSPNet18": 73.0}, {}))[name].verdict == "opposite here"
    )
    assert (
        by_id(table2(summary, scores | {"STT PSPNet18": 72.0}, {}))[name].verdict
        == "undecided here"
    )
    del scores["PC ResNet101"]
    few = by_id(table2(summary, scores, {}))[name]
    assert (few.verdict, few.reason) == (
        "not comparable",
        "only 8 of the 9 rows concerned are measured",
    )
    assert by_id(table2(summary, scores, {}))["efficiency-camvid: fps"].verdict == "not comparable"


@pytest.mark.slow
def test_the_models_rows_on_smaller_frames_are_not_needed(summary: Summary):
    table = read_table("1")
    scores = {
        label: 75.0 if row.model == "MSAF" else 70.0
        for label, row in table.rows
        if "miou" in dict(row.paper)
    }
    del scores["MSAF ResNet18 512"], scores["MSAF ResNet18 768"]
    whole = replace(table2(summary, scores, {}), table=table)
    assert by_id(whole)["lightweight-best: miou"].verdict == "same direction here"
    assert by_id(whole)["lightweight-best: miou_test"].verdict == "not comparable"
    assert by_id(whole)["accuracy-on-every-backbone: miou"].verdict == "same direction here"


def test_the_two_scopes_never_share_a_word(summary: Summary):
    claims = claims_of(summary)
    for scope, words in WORDS.items():
        counts = [
            (int(n), word)
            for n, _, word in (part.partition(" ") for part in counted(claims, scope).split(", "))
        ]
        assert [word for _, word in counts] == [
            word for word in words if any(c.verdict == word and c.scope == scope for c in claims)
        ]
        assert sum(n for n, _ in counts) == sum(claim.scope == scope for claim in claims)
        assert {claim.verdict for claim in claims if claim.scope == scope} <= set(words)
    assert all(claim.reason for claim in claims if claim.scope == "run")
    assert len({(claim.scope, claim.id) for claim in claims}) == len(claims)


def test_a_table_that_prints_nothing_has_no_claims(summary: Summary):
    assert claims_of(replace(summary, table=read_table("readings"))) == ()


@pytest.mark.slow
def test_csv_has_a_line_a_claim(summary: Summary):
    marked = replace(
        summary, conditions=summary.conditions.model_copy(update={"watermark": "SMOKE"})
    )
    claims = claims_of(as_shipped(summary))
    view = replace(view_of(marked), claims=claims)
    lines = list(csv.DictReader(io.StringIO(claims_to_csv(view))))
    assert [line["id"] for line in lines] == [claim.id for claim in claims]
    assert {line["verdict"] for line in lines} == {claim.verdict for claim in claims}
    assert {line["watermark"] for line in lines} == {"SMOKE"}
    signed = [
        cell for line in lines for cell in line.values() if cell.startswith(("=", "+", "-", "@"))
    ]
    assert all(isfinite(float(cell)) for cell in signed)  # a number is no formula


@pytest.mark.slow
def test_markdown_shows_both_scopes(summary: Summary):
    shipped = as_shipped(summary)
    view = view_of(shipped)
    claims, text = view.claims, claims_to_markdown(view)
    assert text.index("## Verdicts of this run on the paper's claims") < text.index(
        "## The paper against itself"
    )
    for scope in WORDS:
        assert f"{counted(claims, scope)}." in text
    rows = [
        line
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith("| claim")
    ]
    assert len(rows) == len(claims)
    assert len({line.count(" | ") for line in rows}) == 2  # six columns and seven
    hostile = replace(claims[0], text="<b>a|b</b>\n[x](http://e.x)")
    assert "<b>" not in claims_to_markdown(replace(view, claims=(hostile,)))
