"""Table of the validation during training, one line per row or control."""

from collections.abc import Iterator
from dataclasses import dataclass

from msaf_bench.findings.digits import counted, mean_span, number
from msaf_bench.findings.subjects import Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.validation import Validation

TITLE = "Validation during training"
HEADS = ("Row", "highest mIoU", "at step", "mIoU at the end")


@dataclass(frozen=True)
class ValidationTable:
    """Validated rows and controls, with a legend."""

    lines: tuple[tuple[Subject, Validation], ...]
    first: str  #: step of the first validation
    last: str  #: step of the last validation
    kept: str  #: scored weights, in words
    legend: tuple[str, ...]

    def texts(self) -> Iterator[tuple[str, ...]]:
        """Yield the lines as text under `HEADS`."""
        for subject, found in self.lines:
            yield (subject.shown, *cells(found))


def cells(found: Validation) -> tuple[str, str, str]:
    """Return the highest mIoU, its steps, and the last mIoU, as text."""
    return mean_span(found.highest), _steps(found), mean_span(found.last)


def validation_table(summary: Summary) -> ValidationTable | None:
    """Return the table; None without validation."""
    lines = tuple(
        (subject, found)
        for subject in summary.subjects
        if (found := subject.measures.validation) is not None
    )
    if not lines:
        return None
    best = summary.conditions.keep == "best"
    kept = f"weights of the {'best' if best else 'last'} step are scored"
    found = [each for _, each in lines]
    steps = [point.step for each in found for point in each.points]
    return ValidationTable(lines, f"{min(steps):,}", f"{max(steps):,}", kept, tuple(_legend(found)))


def point_titles(found: Validation) -> list[str]:
    """Return one text per point of a curve."""
    return [
        f"step {point.step:,}: {number(point.mean, 1)}"
        f" ({number(point.low, 1)} to {number(point.high, 1)})"
        for point in found.points
    ]


def _steps(found: Validation) -> str:
    steps = [curve.best_step for curve in found.curves]
    low, high = min(steps), max(steps)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _legend(found: list[Validation]) -> Iterator[str]:
    yield (
        "Validation: mIoU in percent on clips held out of training and outside the scored split."
        " Highest: of each training, mean over seeds."
    )
    curves = [curve for each in found for curve in each.curves]
    if len(curves[0].points) == 1:
        return
    last = sum(curve.best_step == curve.points[-1][0] for curve in curves)
    first = sum(curve.best_step == curve.points[0][0] for curve in curves)
    yield (
        f"Highest at the last step, so more steps may help: {last} of"
        f" {counted(len(curves), 'training')}; at the first validation: {first}."
    )
