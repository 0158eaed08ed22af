"""What a row of a table says stands: conditions, options and components of its own."""

import pytest

from msaf_bench.catalog import read_conditions, read_table, systems_of
from msaf_bench.errors import UsageError
from msaf_bench.spec import Table
from msaf_bench.sweep.plan import make_plan

QUICK = read_conditions("quick", "street")


def table(**rows: dict[str, object]) -> Table:
    return Table.model_validate(
        {
            "name": "own",
            "title": "own",
            "source": "a test",
            "base": "msaf-r50",
            "metrics": ["miou"],
            "reference": next(iter(rows)),
            "rows": rows,
        }
    )


def test_rows_of_two_learning_rates_share_a_system_and_no_trial():
    plan = make_plan(table(slow={"conditions": {"lr": 0.003}}, fast={}), QUICK, seeds=1)
    slow, fast = plan.trials()
    assert slow.system.key == fast.system.key
    assert (slow.conditions.lr, fast.conditions.lr) == (0.003, QUICK.lr)
    assert slow.id != fast.id


def test_conditions_that_change_nothing_make_no_second_row():
    with pytest.raises(UsageError, match="rows 'a' and 'b' are the same system under the same"):
        make_plan(table(a={"conditions": {"lr": QUICK.lr}}, b={}), QUICK).trials()


def test_rates_of_parts_are_a_table_or_dotted_names():
    nested, dotted = ({"rates": {"offset": 0.5}}, {"rates.offset": 0.5})
    plans = [make_plan(table(a={"conditions": own}), QUICK) for own in (nested, dotted)]
    found = [plan.subjects()["a"][1].rates for plan in plans]
    assert found == [(("offset", 0.5),)] * 2


@pytest.mark.parametrize("name", ["size", "data", "scored", "consistency", "pretrain_steps"])
def test_a_row_does_not_change_what_is_measured(name):
    with pytest.raises(ValueError, match=f"unknown condition that a row may change '{name}'"):
        table(a={"conditions": {name: 1}})


def test_a_wrong_value_names_table_and_row():
    with pytest.raises(UsageError, match=r"own: row 'a': lr: "):
        make_plan(table(a={"conditions": {"lr": -1.0}}), QUICK).trials()


def test_a_preset_shrinks_only_what_a_row_leaves_open():
    own = {
        "options": {"width": 48},
        "swap": {"backbone": {"use": "resnet18", "width": 8}},
        "parts": {"motion": {"heads": 4}},
    }
    systems = systems_of(table(a=own, b={}), QUICK)
    changed, plain = systems["a"], systems["b"]
    assert dict(changed.options) == {**dict(plain.options), "width": 48}
    assert str(changed["backbone"]) == "resnet18(width=8)"
    assert str(plain["backbone"]) == "resnet10(width=16)"
    assert dict(changed["motion"].options) == {**dict(plain["motion"].options), "heads": 4}


def test_a_stand_in_gives_a_rows_component_the_options_that_the_row_leaves_open():
    said = {"use": "vanilla", "time": "learned"}
    systems = systems_of(
        table(
            a={"swap": {"motion": said, "align": "none"}},
            b={"swap": {"motion": {**said, "layers": 5}, "align": "none"}},
        ),
        QUICK,
    )
    layers = [dict(systems[label]["motion"].options)["layers"] for label in "ab"]
    assert layers == [2, 5]


def test_two_widths_are_two_rows_under_every_preset():
    widths = table(narrow={"options": {"width": 16}}, wide={"options": {"width": 32}})
    for preset in ("smoke", "quick", "standard", "paper"):
        systems = systems_of(widths, read_conditions(preset, "street"))
        assert [dict(each.options)["width"] for each in systems.values()] == [16, 32]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"moton": {"heads": 4}}, "unknown slot 'moton'"),
        ({"align": {"rate": 0.1}}, r"parts\.align: this slot is empty here"),
    ],
)
def test_parts_that_a_row_has_not_are_named(parts, said):
    own = {"swap": {"align": "none"}, "parts": parts}
    with pytest.raises(UsageError, match=f"row 'a': {said}"):
        systems_of(table(a=own))


def test_the_tables_of_the_paper_are_what_they_were():
    """Rows of the shipped tables say nothing that a preset would have replaced."""
    quick = systems_of(read_table("3"), QUICK)
    assert str(quick["MSAF"]["backbone"]) == "resnet10(width=16)"
    assert dict(quick["Baseline + TR"]["motion"].options)["layers"] == 2
