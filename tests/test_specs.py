import json
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from msaf_bench.catalog import (
    list_presets,
    list_systems,
    list_tables,
    read_conditions,
    read_system,
    read_table,
    shrunk,
    systems_of,
)
from msaf_bench.errors import UsageError
from msaf_bench.spec import Axis, Choice, Control, Ordering, Row, Spec, System, Table, Trial
from msaf_bench.spec.faults import first_fault


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


@pytest.mark.slow
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
        "Baseline": 74.5, "Baseline + TR": 77.5, "Motion only": 79.1, "State only": 76.5,
        "w/o Motion": 77.3,
        "w/o State": 79.7, "w/o Semantics": 79.8, "w/o DCN": 79.8, "MSAF": 80.4,
    }  # fmt: skip
    # What the text says in words agrees with the printed numbers.
    for said in table.orderings:
        if said.points is not None:
            assert printed[said.better] - printed[said.worse] == pytest.approx(said.points)


# Counted and added up from the printed tables, not from the files: numbers, their sum, the largest.
COLUMNS = {
    "1": {
        "miou": (25, 1957.2, 82.1),
        "miou_test": (13, 1008.4, 81.5),
        "fps": (24, 138.61, 24.39),
        "tc": (17, 1233.5, 75.4),
    },
    "2": {"miou": (9, 688.2, 77.9), "miou_test": (14, 1003.8, 78.8), "fps": (15, 142.16, 25.13)},
}


@pytest.mark.parametrize(("name", "rows", "ours"), [("1", 29, 9), ("2", 18, 5)])
def test_tables_1_and_2_are_the_papers(name, rows, ours):
    table = read_table(name)
    assert len(table.rows) == rows
    assert sum(row.model == "MSAF" for _, row in table.rows) == ours
    columns = {
        metric: [claim.value for claim in table.claims() if claim.metric == metric]
        for metric in table.metrics
    }
    found = {
        metric: (len(values), round(sum(values), 2), max(values))
        for metric, values in columns.items()
    }
    assert found == COLUMNS[name]
    # The paper's own rows have no year, all others have; the best of each block is marked at most
    # once a column.
    assert {label for label, row in table.rows if row.year is None} == {
        label for label, row in table.rows if row.model == "MSAF"
    }
    marks = [(row.block, metric) for _, row in table.rows for metric in row.best]
    assert len(marks) == len(set(marks)) == 2 * len({row.block for _, row in table.rows})


@pytest.mark.parametrize(
    # as the methods' own repositories state them, to the digits given there
    ("table", "row", "seconds"),
    [
        ("1", "Accel ResNet18", 0.44), ("1", "Accel ResNet50", 0.67), ("1", "Accel ResNet101",
        0.87),
        ("1", "TDNet PSPNet18", 0.085), ("1", "PSPNet101", 0.360), ("2", "TDNet PSPNet18", 0.040),
        ("2", "TDNet PSPNet50", 0.090),
    ],
)  # fmt: skip
def test_printed_fps_are_the_sources_latencies(table, row, seconds):
    claim = next(c for c in read_table(table).claims() if (c.row, c.metric) == (row, "fps"))
    assert 1 / claim.value == pytest.approx(seconds, rel=0.002)
    assert claim.dagger
    assert claim.provenance != read_table(table).provenance


def test_a_stitched_cell_has_its_own_provenance_and_a_dagger():
    claims = {(c.row, c.metric): c for c in read_table("1").claims()}
    assert "69.79" in claims["PSPNet18", "tc"].provenance
    assert all(
        claims[f"Accel ResNet{n}", "miou_test"].provenance == "of val in Accel's README"
        for n in (18, 50, 101)
    )
    plain = claims["MSAF ResNet50", "miou"]
    assert not plain.dagger
    assert plain.provenance == read_table("1").provenance
    assert sum(c.dagger for c in claims.values()) == 24


def test_rows_without_a_system_are_printed_only():
    table = read_table("1")
    bare = table.model_dump() | {
        "rows": {"a": {"system": "msaf-r18"}, "b": {"paper": {"miou": 70.0}}},
        "reference": "a",
    }
    assert list(systems_of(Table.model_validate(bare))) == ["a"]


@pytest.mark.slow
@pytest.mark.parametrize("preset", list_presets())
def test_every_row_of_a_table_of_systems_is_another_system_when_shrunk(preset):
    conditions = read_conditions(preset, "street", systems=True)
    for name in ("1", "2"):
        table = read_table(name)
        systems = systems_of(table, conditions)
        assert list(systems) == [label for label, _ in table.rows]
        assert len({system.key for system in systems.values()}) == len(systems)
    # In a table with a base the shrunk slot is replaced, as its rows do not differ in it.
    variants = read_conditions(preset, "street")
    assert {s["backbone"] for s in systems_of(read_table("3"), variants).values()} == {
        dict(variants.shrink).get("backbone", Choice(use="resnet50"))
    }


def test_a_stand_in_adds_options_or_replaces():
    conditions = read_conditions(
        "smoke",
        "street",
        {
            "shrink": {
                "resnet50": {"use": "resnet50", "width": 8},
                "dis": "zero",
                "msaf": {"use": "msaf", "width": 16},
            }
        },
    )
    system = System(
        architecture="msaf",
        slots={"backbone": {"use": "resnet50", "stem": "deep"}, "flow": "dis"},
        options={"heads": 4},
    )
    small = shrunk(system, conditions.model_copy(update={"shrink_options": ()}))
    assert dict(small["backbone"].options) == {"stem": "deep", "width": 8}
    assert small["flow"] == Choice(use="zero")
    assert dict(small.options) == {"heads": 4, "width": 16}


def test_an_architecture_does_not_stand_in_for_another():
    conditions = read_conditions("smoke", "street", {"shrink": {"msaf": "stt"}})
    with pytest.raises(UsageError, match="'stt' cannot stand in for architecture 'msaf'"):
        shrunk(read_system("msaf-r18"), conditions)


def test_a_licence_or_a_style_makes_no_other_system():
    system = read_system("stt-r18")
    assert system.style
    assert system.licence
    assert system.model_copy(update={"style": "", "licence": ""}).key == system.key
    assert system.swap(options=(("width", 32),)).style == system.style


def test_the_factorial_has_every_cell_once():
    table = read_table("factorial")
    systems = systems_of(table)
    base = systems[table.reference]
    cells = {
        tuple(s[slot].use == base[slot].use for _, slot in table.ticks) for s in systems.values()
    }
    assert len(cells) == 8 == len(systems)


def test_a_choice_is_a_name_or_a_table():
    assert Choice.model_validate("dcn") == Choice(use="dcn")
    assert Choice.model_validate({"use": "dcn", "kernel": 5}).options == (("kernel", 5),)
    assert str(Choice.model_validate({"use": "dcn", "kernel": 5})) == "dcn(kernel=5)"


def test_specs_survive_json_and_keep_their_key():
    table = read_table("3")
    assert Table.model_validate_json(table.model_dump_json()) == table
    trial = Trial(
        system=read_system("msaf-r50"), conditions=read_conditions("quick", "street"), seed=3
    )
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
        (
            TABLE + '[rows.x]\nswap = { alin = "none" }',
            ["row 'x'", "alin", "did you mean", "align"],
        ),
        (TABLE + "[rows.twin]", ["'MSAF'", "'twin'", "same system"]),
        (TABLE + "[rows.MSAF]", ["mine.toml"]),
        (TABLE.replace("msaf-r18", "msaf-r81"), ["msaf-r81", "did you mean", "msaf-r18"]),
        (
            TABLE.replace('reference = "MSAF"', 'reference = "MSAFF"'),
            ["MSAFF", "did you mean", "MSAF"],
        ),
        (TABLE + '[rows.x]\nsystem = "msaf-r50"\nswap = { align = "none" }', ["not both"]),
        (TABLE.replace('base = "msaf-r18"\n', ""), ["reference row 'MSAF'", "no 'system'"]),
        (
            TABLE.replace('base = "msaf-r18"\n', "")
            + 'system = "msaf-r18"\n[rows.x.swap]\nalign = "none"',
            ["'x'", "has none", "'base'"],
        ),
        (TABLE + 'best = ["tc"]', ["tc", "miou"]),
        (TABLE + 'provenance = { fps = "a GPU" }', ["fps", "miou"]),
        (
            TABLE.replace('source = "s"', 'source = "s"\ndata = "citiscapes"'),
            ["citiscapes", "did you mean", "cityscapes"],
        ),
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


CONTROL = '[controls.C]\nrole = "bound"\nsystem = "msaf-r50"\n'
AXIS = '[axis]\nof = "steps"\nvalues = [1, 2]\n'


@pytest.mark.parametrize(
    ("text", "place", "model", "near"),
    [
        (TABLE.replace('title = "t"', 'titel = "t"'), "titel", Table, "title"),
        (TABLE + "reasn = 1", "rows.'MSAF'.reasn", Row, None),
        (TABLE + "yaer = 1", "rows.'MSAF'.yaer", Row, "year"),
        (TABLE + CONTROL + "reasn = 1", "controls.'C'.reasn", Control, None),
        (TABLE + CONTROL + 'noot = "x"', "controls.'C'.noot", Control, "note"),
        (TABLE + AXIS + 'titel = "x"', "axis.titel", Axis, "title"),
        (
            TABLE + '[[orderings]]\nbetter = "MSAF"\nworse = "MSAF"\nsource = "s"\npoint = 1',
            "orderings.point",
            Ordering,
            "points",
        ),
    ],
)
def test_an_unknown_key_is_answered_with_the_keys_of_its_own_model(
    tmp_path, text, place, model, near
):
    from msaf_bench.records import Record  # a spec with keys of its own must not be asked

    assert "reason" in Record.model_fields
    key = place.rpartition(".")[2]
    hint = (
        f"did you mean {near}"
        if near
        else f"choose one of: {', '.join(sorted(model.model_fields))}"
    )
    with pytest.raises(UsageError) as caught:
        read_table(write(tmp_path, text))
    assert str(caught.value).startswith(f"mine.toml: {place}: unknown key {key!r}; {hint}")


def test_an_unknown_key_of_a_preset_or_a_system_is_answered_likewise(tmp_path):
    with pytest.raises(UsageError, match="mine.toml: stpes: unknown key 'stpes'; did you mean ste"):
        read_conditions(write(tmp_path, "[street]\nstpes = 1"), "street")
    with pytest.raises(UsageError, match="mine.toml: titel: unknown key 'titel'; did you mean tit"):
        read_system(write(tmp_path, 'architecture = "msaf"\ntitel = "x"\n[slots]\n'))


def test_a_fault_deep_in_a_model_finds_its_keys():
    class Leaf(Spec):
        width: int = 1

    class Branch(Spec):
        leaves: tuple[tuple[str, Leaf], ...] = ()
        pair: tuple[int, Leaf] = (0, Leaf())

    class Tree(Spec):
        branches: Annotated[tuple[Branch, ...], Field(min_length=1)]

    for content in (
        {"branches": [{"leaves": [["a", {"widht": 1}]]}]},
        {"branches": [{}, {"pair": [0, {"widht": 1}]}]},
    ):
        with pytest.raises(ValidationError) as caught:
            Tree.model_validate(content)
        assert "did you mean width?" in first_fault(Tree, caught.value, content)


def test_validation_counts_in_a_key_only_where_it_is_set():
    plain = read_conditions("quick", "street")
    checked = read_conditions("quick", "street", {"validate_every": 100})
    best = read_conditions("quick", "street", {"validate_every": 100, "keep": "best"})
    assert len({plain.key, checked.key, best.key}) == 3
    assert plain.key == read_conditions("quick", "street", {"validate_every": 0}).key
    assert not {"validate_every", "keep"} & plain.document().keys()
    assert (best.document()["validate_every"], best.document()["keep"]) == (100, "best")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keep": "best"}, "keep: 'best' needs validation; add --set validate_every=N"),
        ({"validate_every": 301}, "validate_every: 301 is beyond the training's 300 steps"),
    ],
)
def test_validation_that_cannot_be_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        read_conditions("quick", "street", changes)
