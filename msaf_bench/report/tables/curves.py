"""Curves of a table with an axis as text, CSV and JSON."""

from collections.abc import Iterator

from msaf_bench.documents import finite
from msaf_bench.findings.answers import health_of, title_of
from msaf_bench.findings.digits import NONE, mean, mean_span, span
from msaf_bench.findings.study import AxisCurves, PointReading, Study
from msaf_bench.findings.subjects import ControlSummary
from msaf_bench.report.tables.columns import Value
from msaf_bench.report.tables.values import csv_lines
from msaf_bench.stats import Interval
from msaf_bench.sweep.points import value_text


def sentences(study: Study) -> Iterator[str]:
    """Yield the notes, then one line per curve with contributions of past frames."""
    yield from filter(
        None, (study.plan.conditions.watermark, *(f"note: {note}" for note in study.notes))
    )
    if study.missing:
        yield f"Not run yet: {', '.join(study.missing)}."
    for along in study.axes:
        values = ", ".join(value_text(value) for value in along.axis.values)
        yield f"Contribution of past frames in mIoU points, by {along.axis.shown} ({values}):"
        for curve in along.curves:
            if any(reading.past for reading in curve.readings):
                yield f"  {curve.label}: {', '.join(map(amount, curve.readings))}"


def answers(study: Study) -> Iterator[str]:
    """Yield one sentence per axis on the row with the largest contribution of past frames.

    It gives the largest and the smallest contribution of that row.
    """
    for along in study.axes:
        found = _contributions(along)
        if not found:
            continue
        _, top, most = max(found, key=lambda each: each[0])
        _, _, least = min((each for each in found if each[1] == top), key=lambda each: each[0])
        shown = along.axis.shown
        yield (
            f"{shown[:1].upper()}{shown[1:]}: past frames contribute most in {top}, {most}; its"
            f" smallest contribution is {least}."
        )


def _contributions(along: AxisCurves) -> list[tuple[float, str, str]]:
    """Return amount, row and text of every live reading of a row."""
    return [
        (
            reading.past.mean,
            curve.label,
            f"{mean_span(reading.past, signed=True)} mIoU at {value_text(reading.value)}",
        )
        for curve in along.curves
        if not curve.control
        for reading in curve.readings
        if reading.past and not reading.subject.dead
    ]


def amount(reading: PointReading) -> str:
    """Return the contribution of past frames with its interval as text."""
    if reading.subject.dead:
        return "not live"
    past = reading.past
    return f"{mean(past, 1, signed=True)} ({span(past, 1)})" if past else NONE


HEADS = (
    "axis", "value", "row", "kind", "state", "live", "seeds", "miou", "miou_low", "miou_high",
    "past", "past_low", "past_high",
    "gain", "gain_low", "gain_high", "p", "decision", "conditions", "watermark", "notes",
)  # fmt: skip


def study_lines(study: Study) -> Iterator[tuple[Value, ...]]:
    """Yield plain numbers under `HEADS`, one line per row or control and value."""
    for along in study.axes:
        for curve in along.curves:
            for reading in curve.readings:
                yield _line(study, along.axis.of, reading)


def _line(study: Study, axis: str, reading: PointReading) -> tuple[Value, ...]:
    subject, gain = reading.subject, reading.gain
    conditions = next(s.conditions for s in study.summaries if subject in s.subjects)
    return (
        axis,
        value_text(reading.value),
        subject.label,
        subject.role if isinstance(subject, ControlSummary) else "row",
        subject.state,
        subject.live,
        len(subject.measured),
        *_three(subject.interval),
        *_three(reading.past),
        *_three(gain.interval if gain else None),
        gain.p if gain else None,
        reading.decision,
        conditions.key,
        study.plan.conditions.watermark,
        " ".join(study.notes),
    )


def _three(interval: Interval | None) -> tuple[float | None, float | None, float | None]:
    return (interval.mean, interval.low, interval.high) if interval else (None, None, None)


def study_document(study: Study) -> dict[str, object]:
    """Return the study as plain data for JSON."""
    first, subjects = study.summaries[0], [each for s in study.summaries for each in s.subjects]
    health = health_of(subjects)
    return {
        "title": title_of(first.table, first.conditions),
        "answers": [],
        "standing": list(answers(study)),
        "trust": [health] if health else [],
        "study": study.plan.table.name,
        "single": study.single,
        "comparisons": study.family,
        "missing": list(study.missing),
        "notes": list(study.notes),
        "lines": [finite(dict(zip(HEADS, line, strict=True))) for line in study_lines(study)],
        "ended": max((run.ended for each in subjects for run in each.runs), default=""),
        "conditions": study.plan.conditions.document(),
        "seeds": study.plan.seeds,
        "hosts": [
            host.model_dump(mode="json")
            for host in dict.fromkeys(host for s in study.summaries for host in s.hosts)
        ],
    }


def study_csv(study: Study) -> str:
    """Return the lines as CSV; cells of unknown numbers are empty."""
    return csv_lines(HEADS, study_lines(study))


def legend(study: Study) -> tuple[str, ...]:
    """Return the legend of the curves."""
    return (
        (
            "Contribution of past frames: mIoU minus the mIoU with the newest frame repeated, for"
            " the same network."
        ),
        (
            f"Gain: mIoU minus that of {study.single}, the single-frame row, paired by seed; it"
            " includes effects of parameters and training."
        ),
        (
            "Bars: separate 95 % intervals over seeds; about one in twenty misses the true value."
            " Filled: the interval excludes zero."
        ),
        (
            f"The p of a gain and the decision in the CSV are adjusted for all {study.family}"
            " comparisons of the study."
        ),
        "Cross: a part is not live, so the point supports no conclusion.",
    )
