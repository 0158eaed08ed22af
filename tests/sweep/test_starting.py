"""Starting weights belong to a trial by their content: in its identity and its record, never by the
path that they lie at.
"""

import json
import shutil

import pytest
import torch

from msaf_bench.architectures import build
from msaf_bench.catalog import read_conditions, read_system
from msaf_bench.cli import main
from msaf_bench.components.backbones.resnet import resnet10
from msaf_bench.errors import UsageError
from msaf_bench.records import read_records
from msaf_bench.spec import Trial
from msaf_bench.train.checkpoint import read_checkpoint

SYSTEM = """
architecture = "single-frame"
[slots]
backbone = { use = "resnet10", width = 8, weights = "WEIGHTS" }
head = { use = "psp", width = 16 }
"""
TABLE = """
title = "Two systems"
source = "a test"
metrics = ["miou"]
reference = "Loaded"
[rows.Loaded]
system = "SYSTEM"
[rows.Random]
system = "pspnet18"
"""
SMOKE = ["--preset", "smoke", "--set", "steps=2", "--set", "flow=none"]


def write_weights(path, seed):
    torch.manual_seed(seed)
    torch.save(
        {
            "state_dict": {
                f"module.{name}": tensor for name, tensor in resnet10(width=8).state_dict().items()
            }
        },
        path,
    )


@pytest.fixture
def place(tmp_path, monkeypatch, undrawn):
    """A folder with weights, a system that names them by a relative path, and a table with that
    system; the working folder is another.
    """
    folder, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    write_weights(folder / "start.pth", 7)
    (folder / "loaded.toml").write_text(SYSTEM.replace("WEIGHTS", "start.pth"))
    (folder / "two.toml").write_text(TABLE.replace("SYSTEM", str(folder / "loaded.toml")))
    return folder


def system_of(folder, weights="start.pth"):
    (folder / "loaded.toml").write_text(SYSTEM.replace("WEIGHTS", str(weights)))
    return read_system(str(folder / "loaded.toml"))


def ablate(folder, *more):
    return main(["ablate", "--table", str(folder / "two.toml"), *SMOKE, "--seeds", "1", "--speed",
    "0", "--on", "local",
                 "--reports", str(folder / "run"), "--no-pictures", *more])  # fmt: skip


def texts(folder):
    return "".join(path.read_text() for path in folder.rglob("*.json"))


def test_the_identity_is_the_content(place):
    conditions = read_conditions("smoke", "street", systems=True)

    def identity(weights):
        return Trial(system=system_of(place, weights), conditions=conditions, seed=0).id

    first = identity("start.pth")
    shutil.copy(place / "start.pth", place / "copy.pt")
    assert {identity("copy.pt"), identity(place / "start.pth"), identity("../own/start.pth")} == {
        first
    }
    write_weights(place / "copy.pt", 1)
    assert identity("copy.pt") != first


@pytest.mark.slow
def test_a_report_needs_no_weights(place, capsys):
    assert ablate(place) == 0
    (place / "start.pth").unlink()
    capsys.readouterr()
    assert main(["report", str(place / "run"), "--no-pictures", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(row["label"], row["state"]) for row in document["rows"]] == [
        ("Loaded", "done"),
        ("Random", "done"),
    ]


def test_options_of_an_architecture_are_files_too(place):
    text = (
        'architecture = "pc"\noptions = { weights = "start.pth" }\n[slots]\nbackbone ='
        ' "resnet18"\nhead = { use = "psp", width = 16 }\n'
    )
    (place / "pc.toml").write_text(text)
    system = read_system(str(place / "pc.toml"))
    assert [start.path for start in system.starts()] == [str(place / "start.pth")]
    assert str(place) not in system.canonical()
    assert "weights" not in dict(system.trained().options)


def test_words_are_no_files():
    for name in ("msaf-r18", "pspnet18"):
        assert not read_system(name).starts()
    assert "weights" in dict(read_system("msaf-r18")["assign"].options)
    assert read_system("msaf-r18").trained() == read_system("msaf-r18")


@pytest.mark.slow
@pytest.mark.parametrize("on", [("local",), ("ray", "--workers", "1")], ids=lambda on: on[0])
def test_a_run_keeps_the_content_and_a_changed_file_stops_its_resume(place, capsys, on):
    assert ablate(place, "--on", *on) == 0
    digest = system_of(place).starts()[0].sha256
    records = {
        record.trial.system.name: record
        for record in read_records(place / "run" / "records").values()
    }
    assert records["loaded"].start == f"weights start.pth, sha256 {digest[:12]}"
    assert records["pspnet18"].start == "random"
    assert str(place / "start.pth") not in texts(place / "run")
    assert digest in texts(place / "run" / "records")
    before = texts(place / "run" / "records")
    write_weights(place / "start.pth", 1)
    capsys.readouterr()
    assert ablate(place, "--resume", "--seeds", "2") == 3
    said = capsys.readouterr().err
    assert "start.pth" in said
    assert digest[:12] in said
    assert texts(place / "run" / "records") == before


@pytest.mark.slow
def test_a_table_that_swaps_the_weights_in_is_stopped_too(place, capsys):
    swap = 'swap = { backbone = { use = "resnet10", width = 8, weights = "start.pth" } }'
    table = TABLE.replace('system = "SYSTEM"', swap).replace('system = "pspnet18"', "")
    (place / "two.toml").write_text(table.replace("source =", 'base = "msaf-r18"\nsource ='))
    assert ablate(place) == 0
    assert str(place / "start.pth") not in texts(place / "run")
    write_weights(place / "start.pth", 1)
    capsys.readouterr()
    assert ablate(place, "--resume") == 2
    assert "starting weights of other content" in capsys.readouterr().err
    write_weights(place / "start.pth", 7)
    assert ablate(place, "--resume") == 0


@pytest.mark.slow
def test_a_checkpoint_loads_without_the_file_that_it_started_from(place, capsys):
    assert (
        main(
            ["train", str(place / "loaded.toml"), *SMOKE, "--reports", str(place / "run"), "--json"]
        )
        == 0
    )
    checkpoint = json.loads(capsys.readouterr().out)["checkpoint"]
    sidecar = read_checkpoint(place / "run" / checkpoint).sidecar
    assert "weights" not in dict(sidecar.system["backbone"].options)
    (place / "start.pth").unlink()
    assert main(["evaluate", checkpoint, *SMOKE, "--json"]) == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "no such file"), (b"", "damaged or incomplete"), ("other", "size mismatch")],
)
def test_weights_that_cannot_start_anything_stop_before_training(place, capsys, content, says):
    (place / "start.pth").unlink()
    if content == "other":
        torch.save(resnet10(width=4).state_dict(), place / "start.pth")
    elif content is not None:
        (place / "start.pth").write_bytes(content)
    assert ablate(place) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "start.pth" in said
    assert len(said.strip().splitlines()) == 1
    assert not (place / "run" / "records").exists()


def test_a_file_that_changes_while_the_run_goes_on_is_noticed(place):
    system = system_of(place)
    write_weights(place / "start.pth", 2)
    with pytest.raises(UsageError, match=r"start\.pth: its content has changed"):
        build(system, 2)


def test_weights_given_with_an_option_are_files_too(place, monkeypatch):
    monkeypatch.chdir(place)
    given = {"use": "resnet10", "width": 8, "weights": "start.pth"}
    preset = read_conditions("smoke", "street", {"shrink": {"backbone": given}})
    assert dict(dict(preset.shrink)["backbone"].options)["weights"].startswith("sha256:")
    assert str(place) not in preset.canonical()


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ("sha256:" + 64 * "0" + " start.pth", "its sha256 is"),
        ("sha256:" + 64 * "0", "only a hash, not a file"),
        ("x\\u0000.pth", "null"),
        ("folder/", "a folder, not a file"),
        ("y" * 300 + ".pth", "name too long"),
        ("start", "write ./start"),
    ],
)
def test_what_is_no_file_of_weights_is_said_in_one_line(place, capsys, weights, says):
    (place / "folder").mkdir()
    (place / "loaded.toml").write_text(SYSTEM.replace("WEIGHTS", weights))
    assert ablate(place) == 2
    err = capsys.readouterr().err
    assert says in err.lower()
    assert err.count("\n") == 1
    assert "fault of msaf-bench" not in err


@pytest.mark.slow
def test_two_rows_that_differ_in_their_weights_are_told_apart_without_them(place, capsys):
    write_weights(place / "other.pth", 8)
    (place / "pair.toml").write_text(SYSTEM.replace("WEIGHTS", "other.pth"))
    (place / "two.toml").write_text(
        TABLE.replace("SYSTEM", str(place / "loaded.toml")).replace(
            "pspnet18", str(place / "pair.toml")
        )
    )
    assert ablate(place) == 0
    for name in ("start.pth", "other.pth"):
        (place / name).unlink()
    capsys.readouterr()
    assert main(["report", str(place / "run"), "--no-pictures", "--json"]) == 0
    assert [row["state"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["done", "done"]
