"""The sentence about motion: from the roles of the controls, in every state of a run."""

from dataclasses import replace

import pytest

from msaf_bench.findings.motion import motion_of
from msaf_bench.stats import Difference, Interval, mean_interval

CANNOT = "this run cannot answer questions about motion."


def control_with(summary, label, **how):
    """The summary with other fields in one control."""
    return replace(
        summary,
        controls=tuple(replace(c, **how) if c.label == label else c for c in summary.controls),
    )


def past_of(summary, label, interval):
    """The summary with another contribution of past frames in one row or control."""

    def change(subject):
        return (
            replace(subject, measures=replace(subject.measures, past=interval))
            if subject.label == label
            else subject
        )

    return replace(
        summary,
        rows=tuple(map(change, summary.rows)),
        controls=tuple(map(change, summary.controls)),
    )


def test_it_says_how_much_there_was_to_find_and_how_much_each_row_found(moved):
    motion = motion_of(
        past_of(
            past_of(moved, "Concatenation", Interval(2.4, 1.9, 2.9, 0.4, 5)),
            "MSAF",
            Interval(1.2, 0.9, 1.6, 0.3, 5),
        )
    )
    assert motion.answerable
    assert motion.sentence.startswith(
        "Past frames can contribute up to +2.4 mIoU here (Concatenation, 1.9 to 2.9); Motion only"
        " uses +2.5 ("
    )
    assert (
        ", MSAF +1.2 (0.9 to 1.6), Baseline + TR +0.1 (−0.1 to 0.2)."  # noqa: RUF001
        in motion.sentence
    )
    assert "Oracle alignment, the upper bound, reaches +3.6 (" in motion.sentence
    assert "State only" not in motion.sentence  # reads one frame
    assert "Strangers" not in motion.sentence


def test_a_row_that_is_not_live_is_said_apart(moved):
    first, _, rest = motion_of(moved).sentence.partition(
        "Not comparable, because a part is not live: "
    )
    assert "w/o Semantics" not in first
    assert rest.startswith("w/o Semantics +2.2 (")


@pytest.mark.parametrize(
    "past",
    [
        Interval(0.3, -0.2, 0.8, 0.4, 5),
        Interval(-0.9, -1.2, -0.6, 0.2, 5),
        Interval(0.3, 0.0, 0.6, 0.2, 5),
    ],
)
def test_a_positive_control_that_is_not_separated_from_zero_ends_it(moved, past):
    motion = motion_of(past_of(moved, "Concatenation", past))
    assert not motion.answerable
    says = "loses mIoU from past frames" if past.high < 0 else "shows no contribution above zero"
    assert motion.sentence.startswith(f"Concatenation, the positive control, {says} (")
    assert motion.sentence.endswith(CANNOT)
    assert "Motion only" not in motion.sentence


@pytest.mark.slow
def test_one_seed_gives_no_interval(make_moving):
    motion = motion_of(make_moving(seeds=[0]))
    assert not motion.answerable
    assert "one seed gives no interval: " + CANNOT in motion.sentence


@pytest.mark.slow
def test_a_positive_control_without_a_result_says_why(make_moving, moved):
    def fail(records, trials):
        gone = [
            t.id
            for t in trials
            if t.system["motion"].use == "concat" and t.conditions.past == "real"
        ]
        return records | {
            i: (
                records[i].model_copy(
                    update={"state": "failed", "reason": "killed x3", "confusion": None}
                )
            )
            for i in gone
        }

    motion = motion_of(make_moving(change=fail))
    assert (motion.answerable, motion.sentence) == (
        False,
        (
            "Concatenation, the positive control, has no contribution of past frames: failed:"
            f" killed x3; {CANNOT}"
        ),
    )
    assert not motion_of(past_of(moved, "Concatenation", None)).answerable


def test_a_dead_positive_control_answers_nothing(moved):
    dead = next(row for row in moved.rows if row.dead).parts
    motion = motion_of(control_with(moved, "Concatenation", parts=dead))
    assert not motion.answerable
    assert (
        "Concatenation, the positive control, has parts that are not live (align)"
        in motion.sentence
    )


def test_roles_count_and_not_names(moved):
    """Of several positive controls the one that is separated from zero with the largest
    contribution speaks.
    """
    first = moved.controls[0]
    second = replace(
        first,
        label="Mean",
        measures=replace(first.measures, past=Interval(9.0, -1.0, 19.0, 4.0, 5)),
    )
    third = replace(
        first,
        label="Maximum",
        measures=replace(first.measures, past=Interval(4.0, 3.9, 4.1, 0.1, 5)),
    )
    motion = motion_of(replace(moved, controls=(first, second, third)))
    assert motion.sentence.startswith(
        "Past frames can contribute up to +4.0 mIoU here (Maximum, 3.9 to 4.1);"
    )
    assert "upper bound" not in motion.sentence


@pytest.mark.slow
def test_a_negative_control_that_gains_is_said(moved, make_moving):
    gain = Difference(mean_interval([1.0, 1.1, 0.9, 1.0, 1.05]), 0.06)
    motion = motion_of(control_with(moved, "Strangers", gain=gain))
    assert motion.answerable
    assert (
        "Strangers gains +1.0 (0.9 to 1.1) over Baseline: part of the gain of rows with several"
        " frames does not come from past frames." in motion.sentence
    )
    stronger = motion_of(make_moving(strengths={"Strangers": 0.65}))
    assert "Strangers gains +" in stronger.sentence
    lost = Difference(mean_interval([-1.0, -1.1, -0.9, -1.0, -1.05]), 0.06)
    assert "Strangers" not in motion_of(control_with(moved, "Strangers", gain=lost)).sentence


@pytest.mark.slow
def test_a_past_that_tells_nothing_and_yet_contributes_is_said(make_moving):
    said = motion_of(make_moving(shares={"Strangers": 0.02})).sentence
    assert "Strangers, the negative control, shows a contribution of +" in said
    assert "may come from repeating the newest frame" in said
    assert "Strangers" not in motion_of(make_moving(shares={"Strangers": 0.02}, seeds=[0])).sentence


def test_without_controls_it_says_so_in_one_line(summary, moved):
    motion = motion_of(summary)
    assert (motion.answerable, motion.sentence) == (
        False,
        "No controls were run, so the possible contribution of past frames is unknown.",
    )
    only = replace(moved, controls=moved.controls[1:])
    assert motion_of(only).sentence == f"No positive control was run: {CANNOT}"
