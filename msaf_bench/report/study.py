"""A table run over an axis: curves of the contribution of past frames and of the gain over one
frame.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from msaf_bench.documents import finite, json_text
from msaf_bench.files import write_atomic
from msaf_bench.findings.run import summarise_run
from msaf_bench.findings.subjects import ControlSummary, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.inputs import file_name
from msaf_bench.report.backend import drawn_or_why
from msaf_bench.report.canvas import to_bytes
from msaf_bench.report.cells import NONE, number, span
from msaf_bench.report.tables import csv_lines
from msaf_bench.spec import Axis, Option
from msaf_bench.stats import Decision, Difference, Interval, judge, paired_difference
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.points import Point, points_of, value_text
from msaf_bench.sweep.workspace import Workspace


@dataclass(frozen=True)
class Reading:
    """One row or control at one value of an axis."""

    value: Option
    subject: Subject
    past: Interval | None  #: contribution of past frames, each interval by itself
    #: minus the row that reads one frame; the interval by itself, p for the whole study
    gain: Difference | None
    decision: Decision  #: of the gain, by intervals that hold together for the whole study


@dataclass(frozen=True)
class Curve:
    """A row or control along an axis."""

    label: str
    control: bool
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class AxisCurves:
    """All curves along one axis."""

    axis: Axis
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Study:
    """A table over its axes."""

    plan: Plan
    single: str  #: label of the row that reads one frame
    family: int  #: comparisons with it
    axes: tuple[AxisCurves, ...]
    summaries: tuple[Summary, ...]  #: of the points
    missing: tuple[str, ...]  #: points without any finished trial
    notes: tuple[str, ...]  #: of the points, each with the name of its folder
    undrawn: str = ""  #: why there are no figures, where they could not be drawn


def summarise_study(workspace: Workspace, plan: Plan) -> Study:
    """What the records of all points say."""
    points = points_of(plan, workspace)
    runs = {point.workspace.folder: summarise_run(point.workspace, point.plan) for point in points}
    found = [(point, runs[point.workspace.folder]) for point in points]
    measured = [summary for summary in runs.values() if summary.measured]
    single = next((summary.single for summary in measured if summary.single), "")
    subjects = [s.label for s in next(iter(runs.values())).subjects if s.label != single]
    family = max(1, len(subjects) * len(runs))
    axes = tuple(
        AxisCurves(
            axis,
            tuple(
                _curve(label, [pair for pair in found if pair[0].axis == axis], single, family)
                for label in subjects
            ),
        )
        for axis in plan.table.axis
    )
    missing = tuple(folder.name for folder, summary in runs.items() if not summary.measured)
    notes = tuple(
        f"{folder.name}: {note}" for folder, summary in runs.items() for note in summary.notes
    )
    return Study(plan, single, family, axes, tuple(runs.values()), missing, notes)


def _curve(label: str, found: Sequence[tuple[Point, Summary]], single: str, family: int) -> Curve:
    readings: list[Reading] = []
    for point, summary in found:
        subject = next(s for s in summary.subjects if s.label == label)
        other = next((s for s in summary.subjects if s.label == single), None)
        alone = together = None
        if other:
            alone = paired_difference(subject.measured, other.measured)
            together = paired_difference(subject.measured, other.measured, family=family)
        gain = alone and together and replace(alone, p=together.p)
        decision = judge(together and together.interval, summary.table.margin)
        readings.append(
            Reading(
                point.value,
                subject,
                subject.measures.past,
                gain,
                "undecided" if subject.dead else decision,
            )
        )
    return Curve(label, isinstance(readings[0].subject, ControlSummary), tuple(readings))


def sentences(study: Study) -> Iterator[str]:
    """Notes, then the answer, one line for each curve with a past."""
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


def amount(reading: Reading) -> str:
    """The contribution of past frames with its interval, as text."""
    if reading.subject.dead:
        return "not live"
    past = reading.past
    return f"{number(past.mean, 1, signed=True)} ({span(past, 1)})" if past else NONE


HEADS = (
    "axis", "value", "row", "kind", "state", "live", "seeds", "miou", "miou_low", "miou_high",
    "past", "past_low", "past_high",
    "gain", "gain_low", "gain_high", "p", "decision", "conditions", "watermark", "notes",
)  # fmt: skip


def study_lines(study: Study) -> Iterator[tuple[Any, ...]]:
    """Under `HEADS`, plain numbers: one line for each row and control at each value."""
    said = " ".join(study.notes)
    for along in study.axes:
        for curve in along.curves:
            for r in curve.readings:
                gain = r.gain and r.gain.interval
                kind = r.subject.role if isinstance(r.subject, ControlSummary) else "row"
                intervals = [
                    value for i in (r.subject.interval, r.past, gain) for value in _three(i)
                ]
                key = next(s.conditions.key for s in study.summaries if r.subject in s.subjects)
                p = r.gain and r.gain.p
                yield (
                    along.axis.of, value_text(r.value), r.subject.label, kind, r.subject.state,
                    r.subject.live, len(r.subject.measured),
                    *intervals, p, r.decision, key, study.plan.conditions.watermark, said,
                )  # fmt: skip


def _three(interval: Interval | None) -> tuple[float | None, float | None, float | None]:
    return (interval.mean, interval.low, interval.high) if interval else (None, None, None)


def study_document(study: Study) -> dict[str, Any]:
    """Everything as plain data."""
    return {
        "study": study.plan.table.name,
        "single": study.single,
        "comparisons": study.family,
        "missing": list(study.missing),
        "notes": list(study.notes),
        "lines": [finite(dict(zip(HEADS, line, strict=True))) for line in study_lines(study)],
        "conditions": study.plan.conditions.model_dump(mode="json"),
        "seeds": study.plan.seeds,
        "hosts": [
            host.model_dump(mode="json")
            for host in dict.fromkeys(host for s in study.summaries for host in s.hosts)
        ],
    }


def study_csv(study: Study) -> str:
    """The lines as CSV; an empty cell where nothing is known."""
    return csv_lines(HEADS, study_lines(study))


def legend(study: Study) -> tuple[str, ...]:
    """How the curves were made."""
    return (
        (
            "Contribution of past frames: mIoU minus the mIoU with the newest frame repeated, of"
            " the same network."
        ),
        (
            f"Gain: mIoU minus that of {study.single}, which reads one frame, paired by seed:"
            " parameters and training count too."
        ),
        (
            "Bars: 95 % intervals over seeds. Filled: the interval excludes zero, each by itself,"
            " so about one in twenty misses the truth."
        ),
        (
            f"The p of a gain, and the decision in the CSV, hold together for all {study.family}"
            " comparisons of the study."
        ),
        "Cross: a part is not live, nothing follows.",
    )


def render_study(workspace: Workspace, plan: Plan) -> tuple[Study, list[Path]]:
    """Writes the curves below the study's folder: CSV, JSON, one HTML page, and a figure for each
    axis as SVG and PNG.
    """
    from msaf_bench.report.study_page import study_charts, study_html

    study = summarise_study(workspace, plan)
    name = file_name(plan.table.name)
    kinds = ("svg", "png")
    drawn, undrawn = drawn_or_why(
        lambda: [
            (chart, *(to_bytes(chart.figure, kind) for kind in kinds))
            for chart in study_charts(study)
        ],
        [],
    )
    study = replace(
        study,
        undrawn=undrawn,
        notes=(*study.notes, *([f"There are no figures: {undrawn}."] if undrawn else [])),
    )
    figures = {chart.name: svg for chart, svg, _ in drawn}
    files: dict[str, str | bytes] = {
        f"{name}.csv": study_csv(study),
        f"{name}.json": json_text(study_document(study)),
        f"{name}.html": study_html(study, [chart for chart, *_ in drawn], figures),
        **{f"figures/{name}_{chart}.svg": svg for chart, svg in figures.items()},
        **{f"figures/{name}_{chart.name}.png": png for chart, _, png in drawn},
    }
    for path, content in files.items():
        write_atomic(workspace.folder / path, content)
    return study, [workspace.folder / path for path in files]
