"""Tuned rows beside the default rows, as a table, CSV and JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msaf_bench.findings.digits import NONE, counted, mean_span, number, p_value
from msaf_bench.findings.subjects import NOT_LIVE, RowSummary
from msaf_bench.findings.tuning import RowTuning, Tuning
from msaf_bench.report.tables.columns import Value, bounds

TITLE = "Default beside tuned"
HEADS = ("Row", "default", "tuned", "difference", "p", "found", "expected best of 1", "of all")
VERDICT_HEADS = ("The paper says", "default", "tuned")


@dataclass(frozen=True)
class TuningTable:
    """Rows before and after tuning, with a legend."""

    tuning: Tuning
    legend: tuple[str, ...]

    def texts(self) -> Iterator[tuple[str, ...]]:
        """Yield the lines as text under `HEADS`."""
        for row in self.tuning.rows:
            gap = row.gain
            yield (
                row.tuned.label,
                _miou(row.default),
                _miou(row.tuned),
                mean_span(gap.interval, signed=True) if gap else NONE,
                p_value(gap.p if gap else None),
                row.values,
                number(row.expected[0] if row.expected else None, 1),
                number(row.expected[-1] if row.expected else None, 1),
            )

    def verdicts(self) -> Iterator[tuple[str, ...]]:
        """Yield the verdicts as text under `VERDICT_HEADS`, changed ones first."""
        for pair in sorted(self.tuning.verdicts, key=lambda pair: not pair.changed):
            yield (f"{pair.better} beats {pair.worse}", pair.default, pair.tuned)


def tuning_table(tuning: Tuning | None) -> TuningTable | None:
    """Return the table; None without tuning."""
    return None if tuning is None else TuningTable(tuning, tuple(_legend(tuning)))


def tuning_lines(table: TuningTable) -> tuple[Sequence[str], list[list[Value]]]:
    """Return the heads and lines of the CSV."""
    lines: list[list[Value]] = []
    heads: list[str] = []
    for row in table.tuning.rows:
        values = _values(row)
        heads = list(values)
        lines.append(list(values.values()))
    return heads, lines


def tuning_document(tuning: Tuning) -> dict[str, object]:
    """Return the tuning as JSON."""
    search = tuning.search.model_dump(mode="json", exclude={"name", "rows", "points"})
    return {
        **search,
        "rows": [
            {
                **_values(row),
                "values": dict(row.found.values) if row.found else None,
                "attempts": list(row.found.attempts) if row.found else [],
                "expected_best": list(row.expected),
            }
            for row in tuning.rows
        ],
        "verdicts": [
            {
                "better": pair.better,
                "worse": pair.worse,
                "default": pair.default,
                "tuned": pair.tuned,
                "changed": pair.changed,
            }
            for pair in tuning.verdicts
        ],
    }


def _values(row: RowTuning) -> dict[str, Value]:
    before, after, gap = row.default.interval, row.tuned.interval, row.gain
    found = row.found
    return {
        "row": row.tuned.label,
        "default_miou": before.mean if before else None,
        **bounds(before, "default_low", "default_high"),
        "tuned_miou": after.mean if after else None,
        **bounds(after, "tuned_low", "tuned_high"),
        "difference": gap.interval.mean if gap else None,
        **bounds(gap.interval if gap else None, "diff_low", "diff_high"),
        "p": gap.p if gap else None,
        "found": row.values,
        "search_default": found.default if found else None,
        "search_best": found.miou if found else None,
        "expected_best_of_1": row.expected[0] if row.expected else None,
        "attempts": len(found.attempts) if found else None,
        "stopped": found.stopped if found else None,
        "failed": found.failed if found else None,
        "steps": found.steps if found else None,
    }


def _miou(row: RowSummary) -> str:
    text = mean_span(row.interval)
    return f"{text} {NOT_LIVE}" if row.dead else text


def _legend(tuning: Tuning) -> Iterator[str]:
    search = tuning.search
    how = "drawn at random" if search.method == "random" else "proposed by Optuna"
    stopping = f", {search.stopping} stopping" if search.stopping != "none" else ""
    yield (
        f"Search: {counted(search.trials, 'attempt')} per row, including its default values,"
        f" {how} from the space {search.space}{stopping}, scored on {search.scored}."
    )
    yield (
        "Difference: tuned minus default on the scored split, paired by seed, with simultaneous"
        " intervals for all changed rows."
    )
    yield (
        "Expected best: expected mIoU of the best of so many drawn attempts, on the tuning part and"
        " one seed, without attempts stopped early. It shows the value of more attempts and is not"
        " a result of the table."
    )
    found = [(row.tuned.label, row.found) for row in tuning.rows if row.found]
    if stopped := [f"{label} {own.stopped}" for label, own in found if own.stopped]:
        yield f"Stopped early: {', '.join(stopped)}."
    if failed := [f"{label} {own.failed}" for label, own in found if own.failed]:
        yield f"Failed attempts, counted as tried: {', '.join(failed)}."
    if ill := [f"{label}: {', '.join(own.dead)}" for label, own in found if own.dead]:
        yield f"Not live in the best attempt: {'; '.join(ill)}."
    if tuning.stale:
        yield "The search ran under other conditions than this table; other values may be better."
