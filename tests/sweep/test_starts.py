"""Files that the backbones of a sweep start from."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import msaf_bench as mb
from msaf_bench.ablation import prepare
from msaf_bench.architectures import build
from msaf_bench.catalog import changed, read_conditions, read_system, read_table
from msaf_bench.cli import main
from msaf_bench.cli.ablate_options import read_starts
from msaf_bench.cli.plan_text import plan_lines
from msaf_bench.components.backbones.resnet import resnet10, resnet18, resnet50
from msaf_bench.errors import UsageError
from msaf_bench.records import read_records
from msaf_bench.report.provenance import command
from msaf_bench.spec import Conditions, System
from msaf_bench.spec.stand_ins import check_weights_kept, shrunk
from msaf_bench.sweep.plan import Plan, make_plan
from msaf_bench.sweep.points import points_of
from msaf_bench.sweep.preflight import check_systems
from msaf_bench.sweep.starts import EVERY, files_of, with_starts
from msaf_bench.sweep.workspace import Workspace

# Table 3 in preset smoke runs resnet10(width=8).
ABLATE = ["ablate", "--preset", "smoke", "--set", "flow=none", "--set", "steps=2", "--seeds", "1",
    "--speed", "0", "--on", "local", "--no-pictures"]  # fmt: skip
TABLE_3 = [*ABLATE, "--table", "3", "--rows", "Baseline", "--no-controls"]


def backbone(seed=7, factory=resnet10, **options):
    torch.manual_seed(seed)
    return factory(**{"width": 8, **options}).state_dict()


@pytest.fixture
def here(tmp_path, monkeypatch, undrawn):
    """The working folder, with weights in it that a classifier could have."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    torch.save(backbone() | {"fc.weight": torch.zeros(10, 64)}, "net.pth")
    return folder


def planned(table="3", rows=("Baseline",), controls=False, **changes):
    read = read_table(table)
    conditions = read_conditions("smoke", "street", changes, systems=not read.base)
    return make_plan(read, conditions, rows, 1, controls=controls)


LAYOUTS = {
    "torchvision": lambda state: state | {"fc.weight": torch.zeros(10, 64)},
    "timm": lambda state: {"model": state, "epoch": 3},
    "mmsegmentation": lambda state: {
        "meta": {"epoch": 3},
        "state_dict": {f"backbone.{name}": tensor for name, tensor in state.items()}
        | {"decode_head.conv_seg.weight": torch.zeros(3)},
    },
    "parallel": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "parallel in mmsegmentation": lambda state: {
        "state_dict": {f"module.backbone.{name}": tensor for name, tensor in state.items()}
    },
    "a checkpoint of ours": lambda state: {
        f"model.backbone.{name}": tensor for name, tensor in state.items()
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_loaded(here, layout):
    state = backbone()
    torch.save(LAYOUTS[layout](state), "made.pth")
    plan = with_starts(planned(), [(EVERY, Path("made.pth"))])
    check_systems(plan)
    loaded = build(plan.systems()["Baseline"], 5).backbone.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_a_safetensors_file_is_loaded(here):
    save_file(backbone(3), "made.safetensors")
    plan = with_starts(planned(), [("resnet10", Path("made.safetensors"))])
    loaded = build(plan.systems()["MSAF"], 5).backbone.state_dict()
    assert torch.equal(loaded["conv1.weight"], backbone(3)["conv1.weight"])


def test_a_file_alone_is_for_all_rows_and_controls(here):
    plan = with_starts(planned(rows=(), controls=True), files_of("net.pth"))
    assert dict(plan.conditions.start).keys() == {"resnet10"}
    assert len(plan.starts()) == len(plan.subjects()) > 9
    (text,) = set(plan.starts().values())
    assert re.fullmatch(r"weights net\.pth, sha256 [0-9a-f]{12}", text)


def test_rows_take_theirs_by_the_name_of_backbone_or_system(here):
    torch.save(backbone(factory=resnet50), "plain.pth")
    torch.save(backbone(factory=resnet50, stem="deep"), "deep.pth")
    rows = ("MSAF ResNet50", "PSPNet50", "PSPNet18")
    plan = planned("1", rows)
    with pytest.raises(UsageError, match=r"PSPNet50'.*stem=deep.*bn1.*--start pspnet50=FILE"):
        check_systems(with_starts(plan, files_of({"resnet50": "plain.pth"})))
    started = with_starts(plan, files_of({"RESNET50": "plain.pth", "pspnet50": Path("deep.pth")}))
    check_systems(started)
    said = {label: text.partition(",")[0] for label, text in started.starts().items()}
    assert [said[label] for label in rows] == ["weights plain.pth", "weights deep.pth", "random"]
    assert dict(started.conditions.start).keys() == {"resnet50", "pspnet50"}


def test_the_identity_is_the_content(here):
    (here / "sub").mkdir()
    shutil.copy("net.pth", "sub/other.pt")

    def ids(file):
        plan = with_starts(planned(), [(EVERY, Path(file))])
        assert str(here) not in plan.canonical()
        return [trial.id for trial in plan.trials()]

    assert ids("net.pth") == ids("sub/other.pt") == ids(here / "net.pth")
    assert ids("net.pth") != [trial.id for trial in planned().trials()]
    torch.save(backbone(8), "sub/other.pt")
    assert ids("net.pth") != ids("sub/other.pt")


def test_trials_without_files_keep_their_ids():
    conditions = read_conditions("smoke", "street")
    assert '"start"' not in conditions.canonical(without={"start"})
    assert conditions.key == conditions.model_copy(update={"start": ()}).key


def test_a_kept_plan_names_no_folder_and_is_the_same(here):
    plan = with_starts(planned(), [(EVERY, Path("net.pth"))])
    kept = Plan.model_validate_json(plan.canonical())
    assert [trial.id for trial in kept.trials()] == [trial.id for trial in plan.trials()]
    assert set(kept.starts().values()) == {
        text.replace("net.pth, ", "") for text in plan.starts().values()
    }


def test_it_takes_the_place_of_the_pre_training(here):
    quick = read_conditions("quick", "street")
    given = {"root": None, "seeds": 1, "rows": ("Baseline",), "controls": False, "cluster": None}
    given |= {"speed_processes": 0, "threads": 1, "device": "cpu", "plugins": ()}
    given |= {"reports": here / "run", "resume": False, "pictures": False}
    torch.save(backbone(width=16), "w16.pth")
    files = files_of("w16.pth")
    with pytest.raises(UsageError, match="replaces the common pre-training"):
        prepare(read_table("3"), quick, **given, start=files)
    none = changed(quick, {"pretrain_steps": 0}, "a test")
    ablation = prepare(read_table("3"), none, **given, start=files)
    assert ablation.plan.pretraining() is None
    check_systems(ablation.plan)  # the backbone is frozen, and not random
    text = "\n".join(plan_lines(ablation, resume=False))
    assert "pre-training" not in text
    assert "  every row starts from weights w16.pth, sha256 " in text


def test_points_of_an_axis_start_from_the_file_too(here):
    plan = with_starts(planned("when_motion_helps", ()), files_of("net.pth"))
    points = points_of(plan, Workspace(here / "run"))
    assert len(points) > 1
    assert {point.plan.conditions.start for point in points} == {plan.conditions.start}


def test_the_command_of_a_report_names_them(here):
    plan = with_starts(planned(), files_of("net.pth"))

    class Summary:
        conditions, table, seeds, tuning = plan.conditions, plan.table, (0,), None

    assert command(Summary()).endswith("--seeds 1 --start resnet10=FILE")


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["a.pth"], [(EVERY, "a.pth")]),
        (["resnet50=a.pth, msaf-r50 = b=c.pth"], [("resnet50", "a.pth"), ("msaf-r50", "b=c.pth")]),
        (["resnet50=a", "b"], [("resnet50", "a"), (EVERY, "b")]),
        (["lr=1/b.pth"], [("lr", "1/b.pth")]),
        (["runs/lr=1/b.pth"], [(EVERY, "runs/lr=1/b.pth")]),
        (None, []),
    ],
)
def test_the_option_is_a_list_of_files_with_names(texts, found):
    assert read_starts(texts) == [(name, Path(file)) for name, file in found]


BAD = [
    ("none.pth", r"--start none\.pth: no such file"),
    ("resnet10=", r"--start resnet10=: write FILE or NAME=FILE"),
    ("folder", r"folder': a folder, not a file"),
    ("resnet5=net.pth", r"unknown backbone or system of these rows 'resnet5'; did you mean"),
    ("vgg=net.pth", r"unknown backbone or system.*choose one of: msaf-r50, resnet10"),
    (
        "resnet50=net.pth",
        r"preset smoke runs resnet10\(width=8\) instead of resnet50; give a file for the former",
    ),
    ("net.pth,copy.pth", r"two files for resnet10, net\.pth and copy\.pth; omit one"),
    ("copy.pth,resnet10=net.pth", r"two files for resnet10, copy\.pth and net\.pth; omit one"),
    (
        "msaf-r50=net.pth,resnet10=copy.pth",
        r"resnet10=copy\.pth: not used, every row with this backbone uses",
    ),
    (
        "thin.pth",
        (
            r"backbone resnet10\(width=8\), as preset smoke runs it: weights \S+/thin\.pth: size"
            r" mismatch for conv1\.weight: 4x3x7x7 in the file, 8x3x7x7 in the network, and \d+"
        ),
    ),
    ("deeper.pth", r"deeper\.pth: layer1\.1\.conv1\.weight is not in the network"),
    ("strange.pth", r"its names begin with net\.; conv1\.weight is not in the file"),
    ("cut.pth", r"cut\.pth: damaged or incomplete; copy it again"),
    ("empty.pth", r"empty\.pth: damaged or incomplete"),
    ("text.pth", r"text\.pth: holds more than tensors, or is not a PyTorch file"),
    ("number.pth", r"number\.pth: contains no named tensors"),
    ("code.pth", r"code\.pth: holds more than tensors.* could run code"),
]


class Code:
    """What pickle would run."""

    def __reduce__(self):
        return (Path.touch, (Path("ran"),))


@pytest.fixture
def bad_files(here):
    shutil.copy("net.pth", "copy.pth")
    (here / "folder").mkdir()
    torch.save(backbone(width=4), "thin.pth")
    torch.save(backbone(factory=resnet18), "deeper.pth")
    torch.save({f"net.{name}": tensor for name, tensor in backbone().items()}, "strange.pth")
    (here / "cut.pth").write_bytes((here / "net.pth").read_bytes()[:5000])
    (here / "empty.pth").write_bytes(b"")
    (here / "text.pth").write_text("no weights")
    torch.save({"state_dict": 5}, "number.pth")
    torch.save({"conv1.weight": Code()}, "code.pth")
    return here


@pytest.mark.parametrize(("given", "said"), BAD, ids=[given for given, _ in BAD])
def test_what_cannot_start_anything_is_one_line_before_any_training(bad_files, capsys, given, said):
    assert main([*TABLE_3, "--reports", "run", "--start", given]) == 2
    err = capsys.readouterr().err
    assert re.search(said, err)
    assert err.count("\n") == 1
    assert "fault of msaf-bench" not in err
    assert not (bad_files / "run" / "records").exists()
    assert not (bad_files / "ran").exists()


def test_one_file_for_several_backbones_is_refused(here):
    plan = planned("1", ("MSAF ResNet50", "PSPNet18"))
    with pytest.raises(UsageError, match=r"2 backbones \(resnet10, resnet50\); name one of them"):
        with_starts(plan, files_of("net.pth"))


def test_a_backbone_that_takes_no_file_is_said(here):
    plan = with_starts(planned("2", ()), files_of({"dilation8": "net.pth"}))
    with pytest.raises(UsageError, match=r"unknown option of backbone dilation8 'weights'"):
        check_systems(plan)


def test_a_row_that_has_a_file_of_its_own_takes_no_other(here):
    plan = planned(shrink={"backbone": {"use": "resnet10", "width": 8, "weights": "net.pth"}})
    with pytest.raises(UsageError, match=r"row 'Baseline' already starts from weights net\.pth"):
        with_starts(plan, files_of("net.pth"))


def test_a_stand_in_does_not_drop_weights_without_a_word(here):
    system = read_system("msaf-r18")
    options = {"slots": {**dict(system.slots), "backbone": {"use": "resnet18", "weights": "a.pth"}}}
    loaded = System.model_validate({"architecture": "msaf", **options})
    smoke = read_conditions("smoke", "street")
    said = r"preset smoke runs resnet10\(width=8\) in place of resnet18, without its weights a\.pth"
    with pytest.raises(UsageError, match=said):
        check_weights_kept(loaded, smoke)
    assert shrunk(loaded, smoke)["backbone"].use == "resnet10"  # a run that is over can be read
    kept = changed(smoke, {"shrink.backbone": {"use": "resnet18", "width": 8}}, "a test")
    assert dict(shrunk(loaded, kept)["backbone"].options)["weights"] == "a.pth"


@pytest.mark.parametrize("option", ["start.resnet10=net.pth", "start={resnet10='net.pth'}"])
def test_it_is_no_condition_to_set(here, capsys, option):
    assert main([*TABLE_3, "--set", option]) == 2
    assert "start cannot be changed; use --start" in capsys.readouterr().err


def test_a_preset_names_no_file_without_its_sum():
    conditions = read_conditions("smoke", "street").model_dump()
    with pytest.raises(ValueError, match=r"resnet10: 'net\.pth' is not a file by its content"):
        Conditions.model_validate({**conditions, "start": {"resnet10": "net.pth"}})


def test_show_says_what_rows_start_from(here, capsys):
    assert main(["show", "3"]) == 0
    assert "every row starts from random weights" in capsys.readouterr().out


@pytest.mark.slow
def test_a_dry_run_says_which_row_starts_from_what(here, capsys):
    torch.save(backbone(factory=resnet50), "plain.pth")
    rows = ["--rows", "MSAF ResNet50,PSPNet18", "--no-controls", "--table", "1"]
    command = [*ABLATE, *rows, "--start", "resnet50=plain.pth", "--dry-run"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "  1 of 2 rows and controls start from random weights\n" in out
    assert re.search(r"\nPSPNet18 +starts from random\n", out)
    assert re.search(r"\nMSAF ResNet50 +starts from weights plain\.pth, sha256 [0-9a-f]{12}\n", out)
    assert main([*command, "--json"]) == 0
    starts = {k: row["start"] for k, row in json.loads(capsys.readouterr().out)["rows"].items()}
    assert starts["PSPNet18"] == "random"
    assert starts["MSAF ResNet50"].startswith("weights plain.pth, sha256 ")


@pytest.mark.slow
def test_a_sweep_starts_from_it_and_resumes_with_no_other(here, capsys):
    start = ["--reports", "run", "--start"]
    assert main([*TABLE_3, *start, "net.pth"]) == 0
    records = read_records(here / "run" / "records")
    digest = with_starts(planned(), files_of("net.pth")).starts()["Baseline"]
    assert [record.start for record in records.values()] == [digest, digest]
    kept = "".join(path.read_text() for path in (here / "run").rglob("*.json"))
    assert str(here) not in kept
    assert digest in (here / "run" / "table3.html").read_text()
    (here / "sub").mkdir()
    shutil.move("net.pth", "sub/net.pth")
    assert main([*TABLE_3, *start, "sub/net.pth", "--resume"]) == 0
    assert read_records(here / "run" / "records") == records
    torch.save(backbone(8), "sub/net.pth")
    capsys.readouterr()
    for other in (["--start", "sub/net.pth"], []):
        assert main([*TABLE_3, "--reports", "run", "--resume", *other]) == 2
        assert "start = resnet10 from weights sha256" in capsys.readouterr().err
    assert main(["report", "run", "--no-pictures"]) == 0
    assert read_records(here / "run" / "records") == records


@pytest.mark.slow
def test_python_takes_files_too(here):
    run = mb.ablate(
        "table3",
        preset="smoke",
        changes={"steps": 2, "flow": "none"},
        start={"resnet10": here / "net.pth"},
        seeds=1,
        rows=["Baseline"],
        on="local",
        controls=False,
        speed_processes=0,
        pictures=False,
        reports=here / "run",
    )
    assert {record.start.partition(",")[0] for record in run.records.values()} == {
        "weights net.pth"
    }
