"""Two runs of one table side by side: as lines, as JSON, and as Markdown for a pull request."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import cast

from msaf_bench.documents import finite
from msaf_bench.findings.compare import Change, State
from msaf_bench.findings.digits import counted, mean_span, number, seed_list
from msaf_bench.findings.gates import GateOutcome
from msaf_bench.findings.shifts import Shift
from msaf_bench.findings.summary import Summary
from msaf_bench.report.tables.markdown import markdown_text, pipes

ARROW = "\N{RIGHTWARDS ARROW}"
POINTS = ("miou", "tc")  #: metrics in percent, whose changes are in points
UNITS = {"latency": ("ms", 2), "fps": ("FPS", 1), "macs": ("MACs", 0), "params": ("", 0)}
MOST = 12  #: lines of a table; more are counted
NAMED = 3  #: rows that a gate names
LONGEST = 100  #: characters of a reason in a comment
#: states in the order of their importance for the reader
STATES: tuple[State, ...] = (
    "worse", "new failure", "better", "fixed", "not comparable", "undecided", "same",
)  # fmt: skip
MARKED = STATES[:5]


@dataclass(frozen=True)
class RunComparison:
    """Two runs of one table, their rows, metrics and gates."""

    old: Summary
    new: Summary
    changes: Sequence[Change]
    shifts: Sequence[Shift]
    outcomes: Sequence[GateOutcome]

    @property
    def answer(self) -> str:
        """Number of rows in each state as text, e.g. "1 row worse, 8 undecided"."""
        counts = {state: len(self.rows(state)) for state in STATES}
        said = [(state, count) for state, count in counts.items() if count]
        if not said:
            return "no row to compare"
        (first, count), *others = said
        return ", ".join([f"{counted(count, 'row')} {first}", *(f"{n} {s}" for s, n in others)])

    @property
    def clear(self) -> list[Shift]:
        """Changes of TC, cost and speed beyond their interval, without FPS (see latency)."""
        return [s for s in self.shifts if s.clear and s.metric not in ("miou", "fps")]

    @property
    def still(self) -> list[str]:
        """Metrics besides mIoU that were compared and have no clear change."""
        compared = dict.fromkeys(s.metric for s in self.shifts if s.change is not None)
        clear = {shift.metric for shift in self.shifts if shift.clear}
        return [metric for metric in compared if metric not in ("miou", *clear)]

    @property
    def untimed(self) -> str:
        """Reason for not comparing times; empty if they are compared or missing."""
        return next((s.reason for s in self.shifts if s.reason.startswith("timed")), "")

    @property
    def broken(self) -> list[str]:
        """One line per row that fails a gate: row, change, interval, gate."""
        return [
            f"{shift.label}: {shift_text(shift)}, gate {outcome.gate.text}"
            for outcome in self.outcomes
            for shift in outcome.failed
        ]

    def rows(self, *states: State) -> list[str]:
        """Return the labels of the rows in these states."""
        return [change.label for change in self.changes if change.state in states]


def shift_text(shift: Shift) -> str:
    """Return a change with its interval, or with its old and new value.

    Examples: "miou −1.2 points (−1.9 to −0.5)", "latency stream 8.20 → 9.10 ms (+11.0 %)".
    """
    if shift.change is None:
        return f"{shift.name} {shift.reason}"
    if shift.metric in POINTS:
        bounds = mean_span(shift.interval, 2, signed=True).partition(" ")[2]
        points = f"{shift.name} {number(shift.change, 2, signed=True)} points"
        return f"{points} {bounds or '(no interval)'}"
    unit, digits = UNITS[shift.metric]
    percent = "" if shift.percent is None else f" ({number(shift.percent, 1, signed=True)} %)"
    values = f"{number(shift.before, digits)} {ARROW} {number(shift.after, digits)}"
    return f"{shift.name} {values} {unit}".rstrip() + percent


def lines(comparison: RunComparison) -> list[str]:
    """Return the comparison for a terminal: one line per row, then cost and speed."""
    found: list[str] = []
    for change in comparison.changes:
        points = change.reason
        if change.difference:
            points = f"{mean_span(change.difference.interval, 2, signed=True)} points"
        found.append(f"{change.label:<30}{change.state:<16}{points}".rstrip())
    found += [f"{shift.label}: {shift_text(shift)}" for shift in comparison.clear]
    if comparison.untimed:
        found.append(f"latency and FPS: {comparison.untimed}")
    for outcome in comparison.outcomes:
        found.append(f"gate {outcome.gate.text}: {outcome_text(outcome)}")
    return found


def outcome_text(outcome: GateOutcome) -> str:
    """Return the outcome of a gate, with the rows that were not compared.

    Examples: "passed, 9 rows", "failed by 1 of 9 rows".
    """
    rows = len({shift.label for shift in outcome.compared})
    failed = len({shift.label for shift in outcome.failed})
    of = f"failed by {failed} of {counted(rows, 'row')}" if failed else "passed"
    left = list(dict.fromkeys(shift.label for shift in outcome.skipped))
    said = of if failed else f"{of}, {counted(rows, 'row')}"
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    return f"{said}; not compared: {', '.join(left[:NAMED])}{more}" if left else said


def document(comparison: RunComparison) -> dict[str, object]:
    """Return the comparison as plain data; unknown numbers are null, never NaN."""
    content = {
        "old": _run(comparison.old),
        "new": _run(comparison.new),
        "answer": comparison.answer,
        **{state.replace(" ", "_"): comparison.rows(state) for state in STATES},
        "rows": [_row(change) for change in comparison.changes],
        "metrics": [_shift(shift) for shift in comparison.shifts],
        "gates": [
            {
                "gate": outcome.gate.text,
                "passed": outcome.passed,
                "rows": len({shift.label for shift in outcome.compared}),
                "failed": [_shift(shift) for shift in outcome.failed],
                "not_compared": [_shift(shift) for shift in outcome.skipped],
            }
            for outcome in comparison.outcomes
        ],
        "passed": all(outcome.passed for outcome in comparison.outcomes),
    }
    return cast("dict[str, object]", finite(content))


def markdown(comparison: RunComparison) -> str:
    """Return the comparison as GitHub Markdown, short enough for a comment.

    It has the gates, marked rows, cost and speed, and conditions.
    """
    paired = "mIoU paired by seed, simultaneous intervals for all rows"
    found = [f"**{markdown_text(comparison.answer.capitalize())}** ({paired}).", ""]
    found += _gates(comparison.outcomes)
    found += _table(
        ("Row", "change", "mIoU, points"),
        (
            (change.label, change.state, _points(change))
            for state in MARKED
            for change in comparison.changes
            if change.state == state
        ),
    )
    found += _table(
        ("Row", "TC, cost and speed"),
        ((shift.label, shift_text(shift)) for shift in comparison.clear),
    )
    if comparison.still:
        found += [f"No change beyond the intervals: {', '.join(comparison.still)}.", ""]
    if comparison.untimed:
        found += [f"Latency and FPS are not compared: {markdown_text(comparison.untimed)}.", ""]
    found.append(f"<sub>{markdown_text(_conditions(comparison))}</sub>")
    return "\n".join(found) + "\n"


def _gates(outcomes: Sequence[GateOutcome]) -> list[str]:
    texts = [
        f"- {'✅' if outcome.passed else '❌'} gate `{outcome.gate.text}`:"
        f" {markdown_text(outcome_text(outcome))}"
        for outcome in outcomes
    ]
    failed = [
        f"  - {markdown_text(f'{shift.label}: {shift_text(shift)}')}"
        for outcome in outcomes
        for shift in outcome.failed[:MOST]
        if outcome.gate.limit is not None
    ]
    return [*texts, *failed, ""] if texts else []


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table of at most `MOST` lines; nothing for no row."""
    cells = list(rows)
    if not cells:
        return []
    more = len(cells) - MOST
    left = [f"{counted(more, 'more line')} in the report.", ""] if more > 0 else []
    return [pipes(heads), "|---" * len(heads) + "|", *map(pipes, cells[:MOST]), "", *left]


def _points(change: Change) -> str:
    if change.difference is None:
        return shorten(change.reason, LONGEST, placeholder=" …")
    return mean_span(change.difference.interval, 2, signed=True)


def _conditions(comparison: RunComparison) -> str:
    """Return data, preset, seeds, machines and commits of the two runs."""
    old, new = comparison.old, comparison.new
    c, seeds = new.conditions, [seed_list(run.seeds) for run in (old, new)]
    parts = (
        c.watermark,
        f"data {c.data}",
        f"preset {c.preset}",
        seeds[1] if seeds[0] == seeds[1] else f"{seeds[1]} (were {seeds[0]})",
        *(
            f"{name}: commit {', '.join(dict.fromkeys(h.commit[:12] for h in run.hosts))}"
            f" on {', '.join(dict.fromkeys(h.cpu for h in run.hosts))} {run.ended}".rstrip()
            for name, run in (("old", old), ("new", new))
            if run.hosts
        ),
    )
    return " · ".join(part for part in parts if part)


def _run(summary: Summary) -> dict[str, object]:
    return {
        "table": summary.table.name,
        "conditions": summary.conditions.document(),
        "seeds": list(summary.seeds),
        "data_content": list(summary.data),
        "hosts": [host.model_dump(mode="json") for host in summary.hosts],
        "ended": summary.ended,
    }


def _row(change: Change) -> dict[str, object]:
    interval = change.difference.interval if change.difference else None
    return {
        "row": change.label,
        "state": change.state,
        "points": interval.mean if interval else None,
        "interval": [interval.low, interval.high] if interval else None,
        "reason": change.reason,
    }


def _shift(shift: Shift) -> dict[str, object]:
    bounds = shift.interval
    return {
        "row": shift.label,
        "metric": shift.metric,
        "kind": shift.kind,
        "old": shift.before,
        "new": shift.after,
        "change": shift.change,
        "percent": shift.percent,
        "interval": [bounds.low, bounds.high] if bounds and bounds.low is not None else None,
        "clear": shift.clear,
        "reason": shift.reason,
    }
