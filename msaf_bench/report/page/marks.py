"""Small pictures in the cells of a page: bars, dots of seeds, lines over runs, training curves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from msaf_bench.findings.digits import number
from msaf_bench.findings.subjects import RowSummary, Subject
from msaf_bench.findings.validation import Validation
from msaf_bench.findings.wording import TONES
from msaf_bench.report.tables.validation import point_titles
from msaf_bench.stats import Interval

LEAST_REACH = 0.1  #: smallest value in points at the end of a bar


def reach_of(intervals: Iterable[Interval | None]) -> float:
    """Return the largest distance of means and bounds from zero, the value at the end of a bar."""
    known = [interval for interval in intervals if interval]
    ends = [end for i in known for end in (i.mean, i.low, i.high) if end is not None]
    return max([*map(abs, ends), LEAST_REACH])


def bar(interval: Interval | None, reach: float) -> Markup:
    """Return an interval as a line with its mean as a dot, zero in the middle; empty for None."""
    if interval is None:
        return Markup("")

    def x(value: float) -> str:
        return f"{50 + 48 * max(-1.0, min(1.0, value / reach)):.1f}"

    span = _span(interval, x)
    zero = _line("zero", "50", "50", "0", "12")
    dot = f'<circle cx="{x(interval.mean)}" cy="6" r="3"/>'
    return Markup(
        f'<svg class="bar" viewBox="0 0 100 12" aria-hidden="true">{zero}{span}{dot}</svg>'
    )


class SeedStrips:
    """Strips of seeds on one scale, from the lowest to the highest mIoU of all subjects."""

    def __init__(self, subjects: Iterable[Subject]) -> None:
        values: list[float] = []
        for subject in subjects:
            values += subject.measured.values()
            if subject.interval and subject.interval.low is not None:
                values.append(subject.interval.low)
            if subject.interval and subject.interval.high is not None:
                values.append(subject.interval.high)
        self.low, self.high = (min(values), max(values)) if values else (0.0, 1.0)

    def __call__(self, subject: Subject) -> Markup:
        """Return the seeds of a subject as dots with mean and interval; empty without any."""
        interval = subject.interval
        if interval is None:
            return Markup("")
        span = _span(interval, self._x)
        dots = "".join(
            f'<circle cx="{self._x(miou)}" cy="6" r="2"><title>seed {seed}: {number(miou)}</title>'
            "</circle>"
            for seed, miou in subject.measured.items()
        )
        mean = _line("mean", self._x(interval.mean), self._x(interval.mean), "1", "11")
        return Markup(
            f'<svg class="strip" viewBox="0 0 100 12" role="img"'
            f' aria-label="{len(subject.measured)} seeds">{span}{dots}{mean}</svg>'
        )

    def _x(self, value: float) -> str:
        return f"{3 + 94 * (value - self.low) / ((self.high - self.low) or 1):.1f}"


@dataclass(frozen=True)
class TrendPoint:
    """One run of a line over runs."""

    interval: Interval | None  #: None if the run has no value
    word: str  #: key of `msaf_bench.findings.wording.TONES` if marked; else empty
    title: str


def trend(points: Sequence[TrendPoint]) -> Markup:
    """Return the means of a row over runs as a line with intervals; larger dots mark changes."""
    known = [point.interval for point in points if point.interval]
    ends = [end for i in known for end in (i.mean, i.low, i.high) if end is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)

    def y(value: float) -> str:
        return f"{29 - 26 * (value - low) / ((high - low) or 1):.1f}"

    line: list[str] = []
    marks: list[str] = []
    for i, point in enumerate(points):
        interval, x = point.interval, f"{8 + 104 * i / max(len(points) - 1, 1):.1f}"
        if interval is None:
            continue
        line.append(f"{x},{y(interval.mean)}")
        if interval.low is not None and interval.high is not None:
            marks.append(_line("span", x, x, y(interval.low), y(interval.high)))
        name = f"mark {TONES[point.word]}" if point.word else "plain"
        marks.append(
            f'<circle class="{name}" cx="{x}" cy="{y(interval.mean)}"'
            f' r="{4 if point.word else 2.5}"><title>{escape(point.title)}</title></circle>'
        )
    said = escape("; ".join(point.title for point in points))
    return Markup(
        f'<svg class="trend" viewBox="0 0 120 32" role="img" aria-label="{said}">'
        f'<polyline points="{" ".join(line)}"/>{"".join(marks)}</svg>'
    )


class ValidationCurves:
    """Curves of the validation mIoU over training steps, on one scale for all rows."""

    def __init__(self, found: Iterable[Validation | None]) -> None:
        points = [point for each in found if each for point in each.points]
        self.low = min((point.low for point in points), default=0.0)
        self.high = max((point.high for point in points), default=1.0)
        self.first = min((point.step for point in points), default=0)
        self.last = max((point.step for point in points), default=1)

    def __call__(self, found: Validation) -> Markup:
        """Return the mean as a line, the range of seeds as a band, the highest mean as a dot."""
        at = [
            (self._x(p.step), self._y(p.mean), self._y(p.low), self._y(p.high))
            for p in found.points
        ]
        line = " ".join(f"{x},{y}" for x, y, _, _ in at)
        upper = [f"{x},{high}" for x, _, _, high in at]
        lower = [f"{x},{low}" for x, _, low, _ in reversed(at)]
        band = " ".join([*upper, *lower])
        top = max(found.points, key=lambda point: point.mean)
        said = escape("; ".join(point_titles(found)))
        return Markup(
            f'<svg class="trend" style="color: var(--accent)" viewBox="0 0 120 32" role="img"'
            f' aria-label="{said}"><title>{said}</title>'
            f'<polygon fill="currentcolor" fill-opacity=".25" points="{band}"/>'
            f'<polyline points="{line}"/>'
            f'<circle class="mark" cx="{self._x(top.step)}" cy="{self._y(top.mean)}" r="3"/></svg>'
        )

    def _x(self, step: int) -> str:
        return f"{4 + 112 * (step - self.first) / ((self.last - self.first) or 1):.1f}"

    def _y(self, value: float) -> str:
        return f"{28 - 24 * (value - self.low) / ((self.high - self.low) or 1):.1f}"


def side(row: RowSummary) -> str:
    """Return whether a row is "better" or "worse" than the reference row, or "open"."""
    gap = row.difference.interval if row.difference else None
    if gap is None or gap.low is None or gap.high is None or row.against:
        return "open"
    if gap.low > 0:
        return "better"
    return "worse" if gap.high < 0 else "open"


def _span(interval: Interval, x: Callable[[float], str]) -> str:
    """Return the line from bound to bound; empty without bounds."""
    if interval.low is None or interval.high is None:
        return ""
    return _line("span", x(interval.low), x(interval.high), "6", "6")


def _line(name: str, x1: str, x2: str, y1: str, y2: str) -> str:
    return f'<line class="{name}" x1="{x1}" x2="{x2}" y1="{y1}" y2="{y2}"/>'
