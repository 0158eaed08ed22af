"""The controls as a table of their own: never in one table with the rows of the paper, never
ranked.
"""

from msaf_bench.findings.digits import NONE, mean, mean_span, span
from msaf_bench.findings.subjects import ControlSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.report.tables.columns import PAST_LEGEND

ROLES = {
    "positive": "positive, gains from past frames wherever there is anything to gain",
    "bound": "bound, the most that alignment could gain",
    "negative": "negative, must not gain over a network that reads one frame",
    "single": "single, reads one frame",
    "reading": "reading, another reading of the paper's text",
}
PASTS = {
    "real": "real",
    "still": "still, the newest frame repeated",
    "strangers": "strangers, frames of another video",
    "aligned": (
        "aligned, warped over the newest frame by the true flow, or by DIS where it is unknown"
    ),
}


def control_heads(summary: Summary) -> tuple[str, ...]:
    """The heads of the table."""
    gain = ("difference", "to") if any(control.gain for control in summary.controls) else ()
    return (
        "Control",
        "role",
        "its past frames",
        "mIoU",
        "95 % interval",
        "seeds",
        "contribution of past frames",
        *gain,
        "state",
    )


def control_texts(summary: Summary, control: ControlSummary) -> tuple[str, ...]:
    """The cells of one control."""
    own, gain = control.interval, control.gain.interval if control.gain else None
    return (
        control.shown,
        control.role,
        control.past_frames,
        mean(own),
        span(own),
        str(len(control.measured)),
        mean_span(control.measures.past, signed=True),
        *(
            (mean_span(gain, signed=True), control.compared or NONE)
            if any(c.gain for c in summary.controls)
            else ()
        ),
        control.standing,
    )


def control_legend(summary: Summary) -> list[str]:
    """What controls are, and what their columns mean."""
    roles = dict.fromkeys(control.role for control in summary.controls)
    pasts = dict.fromkeys(control.past_frames for control in summary.controls)
    lines = [
        (
            "Controls: rows of ours beside the paper's, never ranked with them. Roles:"
            f" {'; '.join(ROLES.get(role, role) for role in roles)}."
        ),
        f"Its past frames, in training and in scoring: {'; '.join(PASTS[past] for past in pasts)}.",
        PAST_LEGEND,
    ]
    if summary.single:
        readings = f"; a reading minus {summary.table.reference}" if "reading" in roles else ""
        how = "paired by seed, each interval by itself"
        lines.append(
            f"Difference: control minus {summary.single}, which reads one frame{readings}; {how}."
        )
    return lines + [
        f"{control.label}: {control.note}." for control in summary.controls if control.note
    ]
