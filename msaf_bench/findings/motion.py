"""Answer about motion: contribution of past frames, the possible one and that of each row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msaf_bench.findings.digits import mean, number, span
from msaf_bench.findings.subjects import ControlSummary, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.stats import Interval

NAMED = 9  #: number of named rows, those with the largest contribution
CANNOT = "this run cannot answer questions about motion"


@dataclass(frozen=True)
class MotionAnswer:
    """Whether a run can answer questions about motion, and its answer in words."""

    answerable: bool
    sentence: str


def motion_of(summary: Summary) -> MotionAnswer:
    """Return the answer of a run about motion.

    The positive control with the largest contribution shows how much past frames can contribute.
    """
    positive = [control for control in summary.controls if control.role == "positive"]
    if not summary.controls:
        return MotionAnswer(
            False,
            "No controls were run, so the possible contribution of past frames is unknown.",
        )
    if not positive:
        answer = MotionAnswer(False, f"No positive control was run: {CANNOT}.")
    else:
        best = max(positive, key=lambda control: (not _fault(control), _contribution(control)))
        fault = _fault(best)
        answer = MotionAnswer(not fault, fault or _found(best, summary))
    return MotionAnswer(answer.answerable, " ".join([answer.sentence, *_suspicious(summary)]))


def _fault(control: ControlSummary) -> str:
    """Return why a positive control gives no answer; empty if live and its interval is above 0."""
    past, name = control.measures.past, f"{control.label}, the positive control,"
    if past is None:
        why = (
            f": {control.state}"
            if not control.measured
            else ": it has no score with the newest frame repeated"
        )
        return f"{name} has no contribution of past frames{why}; {CANNOT}."
    if control.dead:
        parts = ", ".join(part.name for part in control.dead)
        return f"{name} has parts that are not live ({parts}): {CANNOT}."
    if past.low is None:
        gain = number(past.mean, 1, signed=True)
        return (
            f"{name} gains {gain} mIoU from past frames with one seed, and one seed gives no"
            f" interval: {CANNOT}."
        )
    if past.low <= 0:
        bounds = f"{number(past.mean, 1, signed=True)}, {span(past, 1, signed=True)}"
        lost = past.high is not None and past.high < 0
        return (
            f"{name}"
            f" {'loses mIoU from past frames' if lost else 'shows no contribution above zero'}"
            f" ({bounds}): {CANNOT}."
        )
    return ""


def _found(best: ControlSummary, summary: Summary) -> str:
    past = best.measures.past
    assert past is not None
    there = (
        f"Past frames can contribute up to {number(past.mean, 1, signed=True)} mIoU here"
        f" ({best.label}, {span(past, 1)})"
    )
    rows = sorted(
        (row for row in summary.rows if row.measures.past), key=_contribution, reverse=True
    )
    live, dead = [row for row in rows if not row.dead], [row for row in rows if row.dead]
    amounts = [f"{row.label} {_amount(row.measures.past)}" for row in live[:NAMED]]
    if amounts:  # only the first amount has a verb
        amounts[0] = f"{live[0].label} uses {_amount(live[0].measures.past)}"
    uses = ", ".join(amounts)
    more = f" and {len(live) - NAMED} other rows less" if len(live) > NAMED else ""
    sentences = [there + (f"; {uses}{more}." if uses else ".")]
    if dead:
        amounts = ", ".join(f"{row.label} {_amount(row.measures.past)}" for row in dead[:NAMED])
        sentences.append(f"Not comparable, because a part is not live: {amounts}.")
    return " ".join([*sentences, *_bounds(summary.controls)])


def _contribution(subject: Subject) -> float:
    return subject.measures.past.mean if subject.measures.past else 0.0


def _amount(past: Interval | None) -> str:
    """Return the contribution with its interval as text."""
    amount = mean(past, 1, signed=True)
    if past is None or past.low is None:
        return f"{amount} (one seed)"
    return f"{amount} ({span(past, 1)})"


def _bounds(controls: Sequence[ControlSummary]) -> Iterator[str]:
    for control in controls:
        if control.role == "bound" and control.measures.past:
            yield f"{control.label}, the upper bound, reaches {_amount(control.measures.past)}."


def _suspicious(summary: Summary) -> Iterator[str]:
    """Yield a warning for each negative control with a contribution, or a gain over one frame."""
    for control in summary.controls:
        past = control.measures.past
        if control.role == "negative" and past and past.low is not None and past.low > 0:
            yield (
                f"{control.label}, the negative control, shows a contribution of {_amount(past)}"
                " although its past frames carry no information: up to this much of every"
                " contribution may come from repeating the newest frame, an unusual input."
            )
        gain = control.gain.interval if control.gain else None
        if control.role == "negative" and gain and gain.low is not None and gain.low > 0:
            yield (
                f"{control.label} gains {_amount(gain)} over {control.compared}:"
                " part of the gain of rows with several frames does not come from past frames."
            )
