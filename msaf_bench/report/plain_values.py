"""Columns of the CSV that every table has, for rows and controls."""

from collections.abc import Sequence

from msaf_bench.findings.subjects import ControlSummary, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.report.second_table import Column

Cell = str | int | float | None


def measured_values(subject: Subject) -> dict[str, Cell]:
    """The mIoU in percent over seeds."""
    own = subject.interval
    return {
        "measured_miou": own and own.mean,
        "sd": own and own.sd,
        "ci_low": own and own.low,
        "ci_high": own and own.high,
        "seeds": len(subject.measured),
    }


def made_values(summary: Summary, subject: Subject) -> dict[str, Cell]:
    """The network, its health, the outcome of its trials, and the conditions of the run."""
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


def said_values(summary: Summary) -> dict[str, Cell]:
    """Last on every line of every CSV: the watermark, and what a reader must know of the run."""
    return {"watermark": summary.conditions.watermark, "notes": " ".join(summary.notes)}


def control_values(
    summary: Summary, control: ControlSummary, beside: Sequence[Column[Subject]]
) -> dict[str, Cell]:
    """One control's line: only columns that a control has, those of the second table among them."""
    values = {name: value for column in beside for name, value in column.values(control).items()}
    return {
        "row": control.label,
        **measured_values(control),
        **values,
        **made_values(summary, control),
    }
