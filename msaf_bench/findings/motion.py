"""One sentence about motion: how much past frames can contribute in a run, and how much each row
found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msaf_bench.findings.digits import mean, number, span
from msaf_bench.findings.subjects import ControlSummary, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.stats import Interval

NAMED = 9  #: rows named; of more, only these with the largest contribution
CANNOT = "this run cannot answer questions about motion"


@dataclass(frozen=True)
class MotionAnswer:
    """Whether a run can answer questions about motion, and its answer in words."""

    answerable: bool
    sentence: str


def motion_of(summary: Summary) -> MotionAnswer:
    """The answer, from the roles of the controls: the positive one with the largest contribution
    says how much there was to find.
    """
    positive = [control for control in summary.controls if control.role == "positive"]
    if not summary.controls:
        return MotionAnswer(
            False,
            "No control was run: this run does not say how much past frames could contribute.",
        )
    if not positive:
        answer = MotionAnswer(False, f"No positive control was run: {CANNOT}.")
    else:
        best = max(positive, key=lambda control: (not _fault(control), _contribution(control)))
        fault = _fault(best)
        answer = MotionAnswer(not fault, fault or _found(best, summary))
    return MotionAnswer(answer.answerable, " ".join([answer.sentence, *_suspicious(summary)]))


def _fault(control: ControlSummary) -> str:
    """Why the positive control answers nothing; empty where its contribution is separated from
    zero.
    """
    past, name = control.measures.past, f"{control.label}, the positive control,"
    if past is None:
        why = (
            f": {control.state}"
            if not control.measured
            else ": it was scored without its past frames repeated"
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
            f"{name} {'loses mIoU by past frames' if lost else 'is not separated from zero'}"
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
    if amounts:  # the verb stands once
        amounts[0] = f"{live[0].label} uses {_amount(live[0].measures.past)}"
    uses = ", ".join(amounts)
    more = f" and {len(live) - NAMED} other rows less" if len(live) > NAMED else ""
    sentences = [there + (f"; {uses}{more}." if uses else ".")]
    if dead:
        amounts = ", ".join(f"{row.label} {_amount(row.measures.past)}" for row in dead[:NAMED])
        sentences.append(f"Not comparable, as a part is not live: {amounts}.")
    return " ".join([*sentences, *_bounds(summary.controls)])


def _contribution(subject: Subject) -> float:
    return subject.measures.past.mean if subject.measures.past else 0.0


def _amount(past: Interval | None) -> str:
    """The contribution with its interval."""
    amount = mean(past, 1, signed=True)
    if past is None or past.low is None:
        return f"{amount} (one seed)"
    return f"{amount} ({span(past, 1)})"


def _bounds(controls: Sequence[ControlSummary]) -> Iterator[str]:
    for control in controls:
        if control.role == "bound" and control.measures.past:
            yield f"{control.label}, the upper bound, reaches {_amount(control.measures.past)}."


def _suspicious(summary: Summary) -> Iterator[str]:
    """A negative control that gains over the row that reads one frame, or that needs a past which
    tells it nothing.
    """
    for control in summary.controls:
        past = control.measures.past
        if control.role == "negative" and past and past.low is not None and past.low > 0:
            yield (
                f"{control.label}, the negative control, contributes {_amount(past)} though its"
                " past tells nothing: so much of a contribution may come from repeating the newest"
                " frame, which is an unusual input."
            )
        gain = control.gain.interval if control.gain else None
        if control.role == "negative" and gain and gain.low is not None and gain.low > 0:
            yield (
                f"{control.label} gains {_amount(gain)} over {control.compared}:"
                " part of what the rows with several frames gain is not the past."
            )
