from dataclasses import replace

import pytest

from msaf_bench.errors import UsageError
from msaf_bench.findings.compare import compare


def moved(summary, label, points):
    """The same run with every seed of one row moved by its entry of `points`; None takes the seed
    away.
    """

    def shift(run):
        change = points[run.seed]
        return (
            replace(run, state="failed", miou=None)
            if change is None
            else replace(run, miou=run.miou + change)
        )

    rows = [
        replace(row, runs=tuple(map(shift, row.runs))) if row.label == label else row
        for row in summary.rows
    ]
    return replace(summary, rows=tuple(rows))


@pytest.mark.parametrize(
    ("points", "state"),
    [
        ([0, 0, 0, 0, 0], "same"),
        ([1.0, 1.1, 0.9, 1.0, 1.0], "better"),
        ([-1.0, -1.1, -0.9, -1.0, -1.0], "worse"),
        ([1.0, -1.1, 0.9, -1.0, 0.2], "undecided"),
        ([None] * 5, "new failure"),
    ],
)
def test_each_row_says_what_became_of_it(summary, points, state):
    changes = {change.label: change for change in compare(summary, moved(summary, "MSAF", points))}
    assert changes["MSAF"].state == state
    assert {change.state for label, change in changes.items() if label != "MSAF"} == {"same"}


def test_what_failed_before_and_works_now_is_fixed(summary):
    changes = {
        change.label: change.state
        for change in compare(moved(summary, "MSAF", [None] * 5), summary)
    }
    assert changes["MSAF"] == "fixed"


def test_other_conditions_are_refused_by_name(summary):
    other = replace(summary, conditions=summary.conditions.model_copy(update={"steps": 301}))
    with pytest.raises(UsageError, match="steps 300 and 301"):
        compare(summary, other)


def test_another_system_under_the_same_label_is_not_compared(summary):
    rows = [
        (
            replace(row, system=row.system.swap(options=(("width", 8),)))
            if row.label == "MSAF"
            else row
        )
        for row in summary.rows
    ]
    changes = {
        change.label: change.state
        for change in compare(summary, replace(summary, rows=tuple(rows)))
    }
    assert changes["MSAF"] == "not comparable"


def test_a_row_under_other_conditions_of_its_own_is_not_compared(summary):
    rows = dict(summary.table.rows)
    rows["MSAF"] = rows["MSAF"].model_copy(update={"conditions": (("lr", 0.003),)})
    table = summary.table.model_copy(update={"rows": tuple(rows.items())})
    found = {each.label: each for each in compare(summary, replace(summary, table=table))}
    assert (found["MSAF"].state, found["Baseline"].state) == ("not comparable", "same")
    assert found["MSAF"].reason == "the row has other conditions now"
