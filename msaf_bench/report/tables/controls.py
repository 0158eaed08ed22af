"""Table of the controls, which is separate from the paper's rows and never ranked."""

from msaf_bench.findings.digits import NONE, mean, mean_span, span
from msaf_bench.findings.subjects import ControlSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.report.tables.columns import PAST_LEGEND

ROLES = {
    "positive": "positive, must gain from past frames if there is anything to gain",
    "bound": "bound, the largest possible gain from alignment",
    "negative": "negative, must not gain over a single-frame network",
    "single": "single, reads a single frame",
    "reading": "reading, another reading of the paper's text",
}
PASTS = {
    "real": "real",
    "still": "still, the newest frame repeated",
    "strangers": "strangers, frames of another video",
    "aligned": (
        "aligned, warped onto the newest frame by the exact flow, or by DIS flow if it is unknown"
    ),
}


def control_heads(summary: Summary) -> tuple[str, ...]:
    """Return the heads of the table."""
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
    """Return the cells of one control."""
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
    """Return the legend: purpose of the controls, roles and columns."""
    roles = dict.fromkeys(control.role for control in summary.controls)
    pasts = dict.fromkeys(control.past_frames for control in summary.controls)
    lines = [
        (
            "Controls: additional rows that check which effects the run can detect; never ranked"
            " with the paper's rows. Roles:"
            f" {'; '.join(ROLES.get(role, role) for role in roles)}."
        ),
        f"Its past frames, in training and scoring: {'; '.join(PASTS[past] for past in pasts)}.",
        PAST_LEGEND,
    ]
    if summary.single:
        readings = (
            f" (for a reading, minus {summary.table.reference})" if "reading" in roles else ""
        )
        how = "paired by seed, with separate 95 % intervals"
        lines.append(
            f"Difference: control minus {summary.single}, the single-frame row{readings}; {how}."
        )
    return lines + [
        f"{control.label}: {control.note}." for control in summary.controls if control.note
    ]
