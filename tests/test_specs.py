import json

import pytest
from pydantic import ValidationError

from msaf_bench.catalog import list_presets, list_systems, list_tables, read_conditions, read_system, read_table, systems_of
from msaf_bench.errors import UsageError
from msaf_bench.spec import Choice, Table, Trial


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


TABLE = """
title = "t"
source = "s"
base = "msaf-r18"
metrics = ["miou"]
reference = "MSAF"
[rows.MSAF]
paper = { miou = 80.4 }
"""


def test_every_shipped_spec_reads():
    for name in list_systems():
        assert read_system(name).name == name
    for name in list_tables():
        systems_of(read_table(name))
    for name in list_presets():
        for data in ("street", "camvid"):
            assert read_conditions(name, data).preset == name


def test_table3_is_the_papers():
    table = read_table("3")
    printed = {claim.row: claim.value for claim in table.claims()}
    assert printed == {
        "Baseline": 74.5, "Baseline + TR": 77.5, "Motion only": 79.1, "State only": 76.5, "w/o Motion": 77.3,
        "w/o State": 79.7, "w/o Semantics": 79.8, "w/o DCN": 79.8, "MSAF": 80.4,
    }  # fmt: skip
    # What the text says in words agrees with the printed numbers.
    for said in table.orderings:
        if said.points is not None:
            assert printed[said.better] - printed[said.worse] == pytest.approx(said.points)


def test_the_factorial_has_every_cell_once():
    table = read_table("factorial")
    systems = systems_of(table)
    base = systems[table.reference]
    cells = {tuple(s[slot].use == base[slot].use for _, slot in table.ticks) for s in systems.values()}
    assert len(cells) == 8 == len(systems)


def test_a_choice_is_a_name_or_a_table():
    assert Choice.model_validate("dcn") == Choice(use="dcn")
    assert Choice.model_validate({"use": "dcn", "kernel": 5}).options == (("kernel", 5),)
    assert str(Choice.model_validate({"use": "dcn", "kernel": 5})) == "dcn(kernel=5)"


def test_specs_survive_json_and_keep_their_key():
    table = read_table("3")
    assert Table.model_validate_json(table.model_dump_json()) == table
    trial = Trial(system=read_system("msaf-r50"), conditions=read_conditions("quick", "street"), seed=3)
    again = Trial.model_validate(json.loads(trial.model_dump_json()))
    assert again == trial
    assert again.id == trial.id


def test_a_key_depends_on_what_is_built_and_on_nothing_else():
    system = read_system("msaf-r50")
    assert system.swap(name="another name").key == system.key
    assert system.swap((("align", Choice(use="none")),)).key != system.key
    assert system.swap(options=(("width", 64),)).key != system.key


def test_specs_are_frozen():
    with pytest.raises(ValidationError):
        read_system("msaf-r50").name = "x"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (TABLE + "papr = 1", ["mine.toml", "papr", "did you mean", "paper"]),
        (TABLE + '[rows.x]\nswap = { alin = "none" }', ["row 'x'", "alin", "did you mean", "align"]),
        (TABLE + "[rows.twin]", ["'MSAF'", "'twin'", "same system"]),
        (TABLE + "[rows.MSAF]", ["mine.toml"]),
        (TABLE.replace("msaf-r18", "msaf-r81"), ["msaf-r81", "did you mean", "msaf-r18"]),
        (TABLE.replace('reference = "MSAF"', 'reference = "MSAFF"'), ["MSAFF", "did you mean", "MSAF"]),
        (TABLE + '[rows.x]\nsystem = "msaf-r50"\nswap = { align = "none" }', ["not both"]),
    ],
)
def test_a_wrong_table_is_one_line_that_names_the_fault(tmp_path, text, parts):
    with pytest.raises(UsageError) as caught:
        systems_of(read_table(write(tmp_path, text)))
    message = str(caught.value)
    assert "\n" not in message.strip()
    for part in parts:
        assert part in message


def test_unknown_names_are_answered_with_near_ones():
    with pytest.raises(UsageError, match="did you mean quick"):
        read_conditions("quik", "street")
    with pytest.raises(UsageError, match="table3"):
        read_table("table33")
    with pytest.raises(UsageError, match="camvid"):
        read_conditions("quick", "camvidd")


def test_conditions_refuse_what_cannot_be():
    for key, value in (("steps", 0), ("lr", -1.0), ("precision", "fp8"), ("stepz", 3)):
        with pytest.raises(UsageError, match=key):
            read_conditions("quick", "street", {key: value})
