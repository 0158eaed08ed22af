"""What a summary says of a made-up run, against numbers worked out beside it."""

import csv
import io
from collections.abc import Callable

import numpy as np
import pytest

from msaf_bench.catalog import family_of
from msaf_bench.errors import DataError, UsageError
from msaf_bench.findings.summarise import summarise
from msaf_bench.findings.summary import Summary
from msaf_bench.records import Matrices, Record
from msaf_bench.report.document import to_json
from msaf_bench.report.kinds import view_of
from msaf_bench.report.tables.values import to_csv
from msaf_bench.report.tables.variants import to_markdown
from msaf_bench.spec import Conditions, Row, System, Table, Trial
from msaf_bench.stats import mean_interval, paired_difference

Make = Callable[..., Summary]
Change = dict[str, Record]


def fail(record: Record, reason: str = "loss is not finite at step 40") -> Record:
    return record.model_copy(update={"state": "failed", "reason": reason, "confusion": None})


def drop_row(records: Change, trials: list[Trial], row: int) -> Change:
    gone = {trial.id for trial in trials if trial.system.key == trials[row * 5].system.key}
    return {key: record for key, record in records.items() if key not in gone}


def test_rows_carry_what_was_printed_and_what_was_measured(summary: Summary):
    assert [row.published for row in summary.rows] == [
        74.5,
        77.5,
        79.1,
        76.5,
        77.3,
        79.7,
        79.8,
        79.8,
        80.4,
    ]
    assert all(
        row.state == "done" and sorted(row.measured) == [0, 1, 2, 3, 4] for row in summary.rows
    )
    assert all(row.interval == mean_interval(list(row.measured.values())) for row in summary.rows)


def test_ticks_are_the_papers(summary: Summary):
    ticks = {row.label: "".join("x" if tick else "." for tick in row.ticks) for row in summary.rows}
    assert list(ticks.values()) == ["...", "...", "x..", ".x.", ".xx", "x.x", "xx.", "xxx", "xxx"]


def test_differences_are_paired_and_adjusted(summary: Summary):
    rows = {row.label: row for row in summary.rows}
    assert rows["MSAF"].difference is None
    assert family_of(summary.table) == 9  # eight rows and one sentence about two others
    assert rows["Baseline"].difference == paired_difference(
        rows["Baseline"].measured, rows["MSAF"].measured, family=9
    )


def test_one_pair_has_one_interval_on_the_whole_page(summary: Summary):
    rows = {row.label: row for row in summary.rows}
    for verdict in summary.verdicts:
        if verdict.better == "MSAF":
            gap, own = verdict.difference, rows[verdict.worse].difference
            assert gap is not None
            assert own is not None
            assert (gap.p, gap.interval.mean) == (own.p, -own.interval.mean)
            assert (gap.interval.low, gap.interval.high) == (
                -(own.interval.high or 0),
                -(own.interval.low or 0),
            )


@pytest.mark.slow
def test_the_margin_makes_rows_the_same(make: Make, table: Table):
    wide = make(table.model_copy(update={"margin": 50.0}))
    assert {v.word for v in wide.verdicts if v.decision == "same"} == {"no difference here"}
    assert not {v.decision for v in wide.verdicts} & {"undecided"}


def test_orderings_are_the_sentences_then_the_printed_numbers(summary: Summary):
    found = [(v.better, v.worse, v.points) for v in summary.verdicts]
    assert found[0] == ("Motion only", "Baseline + TR", 1.6)
    assert found[1] == ("MSAF", "w/o Motion", 3.1)
    assert len(found) == 2 + 7  # "w/o Motion" is among the sentences
    assert ("MSAF", "w/o DCN", 0.6) in found
    decisions = {(v.better, v.worse): v.decision for v in summary.verdicts}
    assert decisions["MSAF", "Baseline"] == "above"
    assert decisions["MSAF", "w/o DCN"] == "undecided"


@pytest.mark.slow
def test_a_contradiction_is_called_one(make: Make, table: Table):
    swapped = {"Baseline": 80.4, "MSAF": 74.5}
    rows = [
        (label, row.model_copy(update={"paper": (("miou", swapped.get(label, 76.0)),)}))
        for label, row in table.rows
    ]
    summary = make(table.model_copy(update={"rows": tuple(rows), "orderings": ()}))
    verdict = next(v for v in summary.verdicts if v.worse == "MSAF" and v.better == "Baseline")
    assert (verdict.word, verdict.points, verdict.covers) == ("opposite here", 5.9, False)
    assert summary.agreement.tau is not None
    assert summary.agreement.tau < 0


def test_per_class_is_the_mean_over_seeds(summary: Summary):
    row = summary.rows[0]
    assert len(row.per_class) == len(summary.class_names) == 11
    assert np.isnan(row.per_class[summary.class_names.index("pedestrian")])
    assert row.interval is not None
    assert np.nanmean(row.per_class) == pytest.approx(row.interval.mean)


def test_the_constant_is_the_best_one(summary: Summary):
    assert summary.constant is not None
    assert summary.constant.class_name == "road"
    assert summary.constant.miou == pytest.approx(100 * 3000 / 11360 / 10)
    assert all(row.clears_constant for row in summary.rows)


@pytest.mark.slow
def test_a_constant_network_does_not_clear_the_constant(make: Make):
    def constant(records: Change, trials: list[Trial]) -> Change:
        for trial in trials[:5]:
            truth = next(iter(records.values())).confusion
            assert truth is not None
            matrices = np.zeros((4, 11, 11), np.int64)
            matrices[:, :, 3] = truth.unpack().sum(2)
            records[trial.id] = records[trial.id].model_copy(
                update={"confusion": Matrices.pack(matrices)}
            )
        return records

    assert [row.clears_constant for row in make(change=constant).rows] == [False] + [True] * 8


@pytest.mark.slow
def test_states(make: Make):
    def change(records: Change, trials: list[Trial]) -> Change:
        records = drop_row(records, trials, 0)
        for trial in trials[5:10]:
            records[trial.id] = fail(records[trial.id])
        del records[trials[10].id]
        records[trials[11].id] = fail(records[trials[11].id], "killed x3")
        records[trials[15].id] = records[trials[15].id].model_copy(update={"confusion": None})
        return records

    summary = make(change=change)
    assert [row.state for row in summary.rows[:5]] == [
        "missing",
        "failed: loss is not finite at step 40",
        "partial 3/5 seeds",
        "partial 4/5 seeds",
        "done",
    ]
    assert [(label, run.seed) for label, run in summary.failed] == [
        *(("Baseline + TR", s) for s in range(5)),
        ("Motion only", 1),
        ("State only", 0),
    ]
    assert summary.rows[0].difference is None
    assert summary.rows[8].interval is not None
    assert summary.agreement.rows == 7
    alone = paired_difference(summary.rows[4].measured, summary.rows[8].measured, family=9)
    # still of nine comparisons: failed rows do not make the others significant
    assert summary.rows[4].difference == alone


@pytest.mark.slow
def test_one_seed_decides_nothing(make: Make):
    summary = make(seeds=[3])
    assert {v.decision for v in summary.verdicts} == {"undecided"}
    assert all(
        row.interval and row.interval.low is None and row.clears_constant is None
        for row in summary.rows
    )
    assert summary.seeds == (3,)


def test_no_record_at_all(make: Make):
    summary = make(change=lambda records, trials: {})
    assert {row.state for row in summary.rows} == {"missing"}
    assert (summary.constant, summary.hosts, summary.class_names, summary.agreement.tau) == (
        None,
        (),
        (),
        None,
    )


@pytest.mark.slow
def test_a_complete_design_has_effects(
    make: Make, table: Table, factorial: Table, summary: Summary
):
    assert summary.effects == ()
    effects = make(factorial).effects
    assert [e.factors for e in effects] == [
        ("MonA",),
        ("StaA",),
        ("SemA",),
        ("MonA", "StaA"),
        ("MonA", "SemA"),
        ("StaA", "SemA"),
        ("MonA", "StaA", "SemA"),
    ]


@pytest.mark.slow
def test_effects_and_shapley_values_are_in_every_form(make: Make, factorial: Table):
    summary = make(factorial)
    document = to_json(view_of(summary))
    assert [e["parts"] for e in document["effects"]] == [list(e.factors) for e in summary.effects]
    assert [e["mean"] for e in document["shapley"]] == [e.interval.mean for e in summary.shares]
    assert "| MonA x StaA | " in to_markdown(view_of(summary))
    full, none = summary.rows[-1].interval, summary.rows[0].interval
    assert full is not None
    assert none is not None
    assert sum(e.interval.mean for e in summary.shares) == pytest.approx(full.mean - none.mean)


@pytest.mark.slow
def test_mixed_records_are_said_or_refused(make: Make, table: Table, summary: Summary):
    def change(field: str, value: object) -> Callable[[Change, list[Trial]], Change]:
        return lambda records, trials: {
            **records,
            trials[0].id: records[trials[0].id].model_copy(update={field: value}),
        }

    assert len(summary.notes) == 1  # no pulse was taken
    with pytest.raises(DataError, match="read different data .* --allow-mixed"):
        make(change=change("data", "other"))
    assert (
        "data of different content"
        in make(change=change("data", "other"), allow_mixed=True).notes[0]
    )
    with pytest.raises(UsageError, match="different classes"):
        make(change=change("class_names", tuple("abcdefghijk")))
    assert "different numbers of processes" in make(change=change("processes", 4)).notes[0]


@pytest.mark.slow
def test_how_trials_were_computed_is_said_unless_by_one_process_and_exactly(make: Make):
    def change(records: Change, trials: list[Trial]) -> Change:
        how = {"processes": 4, "determinism": "asked for; not deterministic: put_"}
        return {name: record.model_copy(update=how) for name, record in records.items()}

    assert make(change=change).notes[:2] == (
        "Each trial was trained by 4 processes.",
        "Deterministic kernels were asked for; not deterministic: put_.",
    )


def test_one_set_of_conditions_only(
    table: Table, systems: dict[str, System], conditions: Conditions
):
    other = conditions.model_copy(update={"steps": 7})
    trials = [Trial(system=systems["MSAF"], conditions=c, seed=0) for c in (conditions, other)]
    with pytest.raises(UsageError, match="one set of conditions, got 2"):
        summarise(table, systems, trials, {})
    with pytest.raises(UsageError, match="got 0"):
        summarise(table, systems, [], {})


@pytest.mark.slow
def test_rows_not_asked_for_are_missing_and_outside_the_family(
    table: Table, systems: dict[str, System], summary: Summary, make: Make
):
    rows = tuple(
        (label, row)
        for label, row in table.rows
        if label in ("Baseline", "MSAF", "Motion only", "Baseline + TR", "w/o Motion")
    )
    few = make(table.model_copy(update={"rows": rows}))
    assert family_of(few.table) == 5  # four rows and a sentence
    assert isinstance(rows[0][1], Row)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_words_p_and_intervals_agree_in_random_runs(make: Make, table: Table, seed: int):
    """On the rows, in the verdicts, in the JSON and in the CSV: one pair, one interval, one p, and
    the word that follows.
    """

    def shuffled(records: Change, trials: list[Trial]) -> Change:
        rng = np.random.default_rng(seed)
        others = (
            rng.permutation([trial.id for trial in trials])
            if seed % 2
            else [trial.id for trial in trials]
        )
        kept = rng.random(len(trials)) < (1.0 if seed < 3 else 0.8)
        pairs = zip(trials, others, kept, strict=True)
        return {
            t.id: records[t.id].model_copy(update={"confusion": records[other].confusion})
            for t, other, keep in pairs
            if keep
        }

    margin = float(np.random.default_rng(seed).uniform(0.1, 4))
    summary = make(table.model_copy(update={"margin": margin}), change=shuffled)
    document = to_json(view_of(summary))
    lines = {line["row"]: line for line in csv.DictReader(io.StringIO(to_csv(view_of(summary))))}
    for verdict, told in zip(summary.verdicts, document["comparisons"], strict=True):
        i = verdict.difference and verdict.difference.interval
        if i is None or i.low is None or i.high is None:
            assert verdict.word == "undecided here"
            continue
        word = (
            "same direction here" if i.low > 0 else "opposite here" if i.high < 0
            else "no difference here" if -margin < i.low and i.high < margin else "undecided here"
        )  # fmt: skip
        assert (verdict.word, told["word"]) == (word, word)
        assert verdict.difference is not None
        assert verdict.difference.p is not None
        assert (verdict.difference.p < 0.05) == (not i.low <= 0 <= i.high)
        assert told["p"] == verdict.difference.p
        if "MSAF" in (verdict.better, verdict.worse):
            other = verdict.worse if verdict.better == "MSAF" else verdict.better
            assert float(lines[other]["p"]) == pytest.approx(verdict.difference.p, rel=1e-4)
            assert sorted(
                abs(float(lines[other][end])) for end in ("diff_low", "diff_high")
            ) == pytest.approx(sorted((abs(i.low), abs(i.high))), rel=1e-4)
