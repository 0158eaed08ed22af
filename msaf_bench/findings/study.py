"""Curves of a table with an axis: contribution of past frames, and gain over a single frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from msaf_bench.findings.run import summarise_run
from msaf_bench.findings.subjects import ControlSummary, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.spec import Axis, Option
from msaf_bench.stats import Decision, Difference, Interval, judge, paired_difference
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.points import Point, points_of
from msaf_bench.sweep.workspace import Workspace


@dataclass(frozen=True)
class PointReading:
    """One row or control at one value of an axis."""

    value: Option
    subject: Subject
    past: Interval | None  #: contribution of past frames, 95 % interval of this point alone
    #: subject minus the single-frame row; 95 % interval of this point, p adjusted for the study
    gain: Difference | None
    decision: Decision  #: on the gain, by simultaneous intervals of the whole study


@dataclass(frozen=True)
class Curve:
    """A row or control along an axis."""

    label: str
    control: bool
    readings: tuple[PointReading, ...]


@dataclass(frozen=True)
class AxisCurves:
    """All curves along one axis."""

    axis: Axis
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Study:
    """A table with its axes."""

    plan: Plan
    single: str  #: label of the single-frame row
    family: int  #: number of comparisons with the single-frame row
    axes: tuple[AxisCurves, ...]
    summaries: tuple[Summary, ...]  #: one per point
    missing: tuple[str, ...]  #: points without any finished trial
    notes: tuple[str, ...]  #: notes of the points, each led by the name of its folder
    undrawn: str = ""  #: reason if the figures could not be drawn


def summarise_study(workspace: Workspace, plan: Plan) -> Study:
    """Return the curves of a table with axes from the records of all its points."""
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
    readings: list[PointReading] = []
    for point, summary in found:
        subject = next(s for s in summary.subjects if s.label == label)
        other = next((s for s in summary.subjects if s.label == single), None)
        alone = together = None
        if other:
            alone = paired_difference(subject.measured, other.measured)
            together = paired_difference(subject.measured, other.measured, family=family)
        gain = replace(alone, p=together.p) if alone and together else None
        decision = judge(together.interval if together else None, summary.table.margin)
        readings.append(
            PointReading(
                point.value,
                subject,
                subject.measures.past,
                gain,
                "undecided" if subject.dead else decision,
            )
        )
    return Curve(label, isinstance(readings[0].subject, ControlSummary), tuple(readings))
