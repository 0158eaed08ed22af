"""`list`, `show` and `check`."""

import json

import pytest

from msaf_bench.catalog import list_presets, list_systems, list_tables
from msaf_bench.cli import main
from msaf_bench.spec import Row


@pytest.mark.parametrize(("name", "rows", "daggers"), [("1", 29, 24), ("table2", 18, 4)])
def test_show_prints_every_row_and_how_daggers_were_made(capsys, name, rows, daggers):
    assert main(["show", name]) == 0
    heading, *lines, starts = capsys.readouterr().out.splitlines()
    assert heading.startswith("Table")
    assert starts.startswith("every row starts from random weights")
    notes = [line for line in lines if line.startswith("†")]
    assert (len(lines) - len(notes), len(notes)) == (rows, daggers)
    assert sum(line.count("†") for line in lines if line not in notes) == daggers


def test_show_prints_a_data_set_by_name_and_by_file(tmp_path, capsys):
    assert main(["show", "vspw"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("vspw: VSPW, 124 classes, 480p\n")
    assert "24,502 labelled frames, the list val.txt" in out
    assert max(map(len, out.splitlines())) <= 80
    own = tmp_path / "mine.toml"
    own.write_text(
        'frames = "{video}.mp4"\nlabels = "{video}/{frame}.png"\nclasses = ["a", "b"]\n'
        "splits = { train = 0.5, val = 0.5 }\n"
    )
    assert main(["show", str(own), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == ["a", "b"]


def test_show_orders_numbers_as_the_paper_does(capsys):
    assert main(["show", "1"]) == 0
    (row,) = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("MSAF ResNet50 ")
    ]
    assert "miou 80.4, miou_test 79.8, tc 73.9, fps 2.57" in row
    assert "backbone=resnet50" in row


def test_show_as_json_has_every_rows_system(capsys):
    assert main(["show", "1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["rows"]) == 29
    assert list(shown["systems"]) == [label for label, _ in shown["rows"]]
    assert shown["systems"]["STT ResNet18"]["style"]


@pytest.mark.slow
def test_every_table_passes_the_check_under_every_preset(capsys):
    assert main(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert all(line.endswith(", ok") for line in lines)
    assert {
        "table1: 29 rows, 79 printed numbers, ok",
        "table2: 18 rows, 38 printed numbers, ok",
        "table3: 9 rows, 9 printed numbers, ok",
    } < set(lines)


def test_sentences_are_no_table(capsys):
    assert main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"] == [
        "factorial",
        "readings",
        "table1",
        "table2",
        "table3",
        "when_motion_helps",
    ]


@pytest.mark.slow
def test_check_and_ablate_give_the_same_hint(capsys, tmp_path):
    (tmp_path / "mine.toml").write_text(
        'title = "t"\nsource = "s"\nbase = "msaf-r18"\nmetrics = ["miou"]\nreference = "MSAF"\n'
        "[rows.MSAF]\nreasn = 1\n"
    )
    table = str(tmp_path / "mine.toml")
    said = []
    for command in (["check", table], ["ablate", "--table", table]):
        assert main(command) == 2
        said.append(capsys.readouterr().err)
    keys = ", ".join(sorted(Row.model_fields))
    hint = f"unknown key 'reasn'; choose one of: {keys}"
    assert said == [f"msaf-bench: mine.toml: rows.'MSAF'.reasn: {hint}\n"] * 2


def test_list_has_what_each_system_is_and_a_filter(capsys):
    assert main(["list", "systems", "*MSAF-r*"]) == 0
    heading, *rows = capsys.readouterr().out.split("GMAC: ")[0].splitlines()
    assert heading.split() == ["System", "parameters", "GMAC", "table", "title"]
    assert [row.split()[0] for row in rows] == ["msaf-r101", "msaf-r18", "msaf-r50"]
    assert "18.2 M     406.5  1, 2    MSAF, ResNet-18" in rows[1]
    assert main(["list", "msaf-r18,quick", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"systems": ["msaf-r18"], "tables": [], "presets": ["quick"], "datasets": []}


def test_list_fits_80_columns(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    names = {line.split()[0] for line in lines if line}
    assert {*list_systems(), *list_tables(), *list_presets()} <= names


@pytest.mark.parametrize("name", [*list_systems(), *list_presets()])
def test_show_is_for_readers_without_json(name, capsys):
    assert main(["show", name.upper()]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert not set("{}") & set(out)
    assert main(["show", name, "--json"]) == 0
    json.loads(capsys.readouterr().out)
