"""CSV files: plain numbers, empty cells for unknown numbers, conditions on every line."""

import math
from collections.abc import Iterable, Mapping, Sequence

from msaf_bench.findings.subjects import ControlSummary, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.report.tables.columns import Column, Value, bounds
from msaf_bench.report.tables.spreadsheet import csv_document
from msaf_bench.report.tables.tuning import tuning_lines
from msaf_bench.report.view import View


def to_csv(view: View) -> str:
    """Return the main CSV: one line per row, then per control; mIoU in percent."""
    lines = [view.kind.row_values(view, row) for row in view.summary.rows]
    heads = list(lines[0])
    lines += [
        control_values(view.summary, control, view.columns) for control in view.summary.controls
    ]
    return csv_lines(heads, [[line.get(head) for head in heads] for line in lines])


def to_per_class_csv(view: View) -> str:
    """Return the IoU per class in percent, one line per row; empty for classes that never occur.

    Columns: mean over seeds of each class, then the standard deviations.
    """
    names = view.summary.class_names
    nothing = [None] * len(names)
    said = said_values(view.summary)
    lines: list[Sequence[Value]] = []
    for row in view.summary.rows:
        scores = (*(row.per_class or nothing), *(row.per_class_sd or nothing))
        lines.append((*view.kind.row_names(row).values(), *scores, *said.values()))
    first = view.kind.row_names(view.summary.rows[0])
    return csv_lines((*first, *names, *(f"{name}_sd" for name in names), *said), lines)


def to_validation_csv(view: View) -> str:
    """Return the validation mIoU in percent, one line per row or control, seed and step."""
    said = said_values(view.summary)
    lines: list[Sequence[Value]] = []
    for subject in view.summary.subjects:
        found = subject.measures.validation
        for curve in found.curves if found else ():
            for step, miou in curve.points:
                scored = int(step == curve.kept_step)
                lines.append((subject.label, curve.seed, step, miou, scored, *said.values()))
    return csv_lines(("row", "seed", "step", "validation_miou", "scored", *said), lines)


def to_tuning_csv(view: View) -> str:
    """Return the rows before and after tuning, one line each; empty without tuning."""
    if view.tuning is None:
        return ""
    heads, lines = tuning_lines(view.tuning)
    said = said_values(view.summary)
    return csv_lines((*heads, *said), [(*line, *said.values()) for line in lines])


def measured_values(subject: Subject) -> dict[str, Value]:
    """Return the mIoU over seeds, in percent."""
    own = subject.interval
    return {
        "measured_miou": own.mean if own else None,
        "sd": own.sd if own else None,
        **bounds(own, "ci_low", "ci_high"),
        "seeds": len(subject.measured),
    }


def made_values(summary: Summary, subject: Subject) -> dict[str, Value]:
    """Return parameters, health, outcome of the trials, and conditions of the run."""
    past = {"past": subject.past_frames} if isinstance(subject, ControlSummary) else {}
    conditions = summary.conditions.model_copy(update=past)
    return {
        "params": subject.params,
        "live": None if subject.live is None else int(subject.live),
        "dead_parts": " ".join(part.name for part in subject.dead),
        "kind": subject.role if isinstance(subject, ControlSummary) else "row",
        "state": subject.state,
        "data": conditions.data,
        "preset": conditions.preset,
        "conditions": conditions.key,
        **said_values(summary),
    }


def said_values(summary: Summary) -> dict[str, Value]:
    """Return the last columns of every CSV: watermark and notes."""
    return {"watermark": summary.conditions.watermark, "notes": " ".join(summary.notes)}


def column_values(columns: Iterable[Column[Subject]], subject: Subject) -> dict[str, Value]:
    """Return the plain values of all columns for one row or control."""
    values: dict[str, Value] = {}
    for column in columns:
        values |= column.values(subject)
    return values


def control_values(
    summary: Summary, control: ControlSummary, columns: Iterable[Column[Subject]]
) -> Mapping[str, Value]:
    """Return one control's line, with the columns that apply to controls."""
    return {
        "row": control.label,
        **measured_values(control),
        **column_values(columns, control),
        **made_values(summary, control),
    }


def csv_lines(heads: Iterable[str], lines: Iterable[Iterable[Value]]) -> str:
    """Return heads and lines of plain values as CSV; None and NaN become empty cells."""
    return csv_document([heads, *(map(_cell, line) for line in lines)])


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)
