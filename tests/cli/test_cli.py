import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data.readers import look_alikes
from PIL import Image

from msaf_bench.cli import main

ROOT = Path(__file__).parents[2]


def said(capsys):
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.mark.slow
def test_light_commands_import_nothing_heavy():
    """One process runs them one after the other."""
    heavy = {"torch", "ray", "matplotlib", "scipy", "pandas", "cv2", "fvcore", "ptflops"}
    code = f"""
import sys
import msaf_bench.cli.score.miou
assert not {heavy | {"numpy", "PIL"}} & set(sys.modules)
from msaf_bench.cli import main
for arguments in (["--help"], ["list"], ["show", "3"], ["flops", "--n", "97x97", "--json"]):
    assert main(arguments) == 0
    assert not {heavy} & set(sys.modules), arguments
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"n": 9409' in done.stdout


def camvid(root, *more):
    small = [
        "--preset",
        "smoke",
        "--set",
        "data_options.allow_partial=true",
        "--set",
        "train_spacing=30",
        "--set",
        "score_spacing=2",
    ]
    return [
        "ablate",
        "--table",
        "3",
        "--data",
        "camvid",
        "--root",
        str(root),
        "--seeds",
        "1",
        "--on",
        "local",
        "--speed",
        "0",
        "--no-controls",
        *small,
        *more,
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        (["ablate", "--table", "33"], 2, ["table33", "table3"]),
        (["ablate", "--table", "3", "--rows", "w/o DCM"], 2, ["w/o DCM", "w/o DCN"]),
        (["ablate", "--table", "3", "--seeds", "0"], 2, ["--seeds 0"]),
        (["ablate", "--table", "3", "--preset", "quik"], 2, ["quik", "quick"]),
        (["ablate", "--table", "3", "--data", "nuscenes"], 2, ["nuscenes", "street"]),
        (["ablate", "--table", "3", "--on", "slurm"], 2, ["slurm", "ray"]),
        (["ablate", "--table", "3", "--set", "stepz=4"], 2, ["stepz", "steps"]),
        (["ablate", "--table", "3", "--set", "steps"], 2, ["key=value"]),
        (
            [
                "ablate",
                "--table",
                "3",
                "--set",
                "data_options.nois=1",
                "--preset",
                "smoke",
                "--on",
                "local",
            ],
            2,
            ["nois", "noise"],
        ),
        (["ablate", "--table", "3", "--set", "steps.x=4"], 2, ["steps", "no options"]),
        (["ablate", "--table", "3", "--set", "lr=nan"], 2, ["--set", "lr"]),
        (["ablate", "--table", "3", "--set", "size=3"], 2, ["--set", "size"]),
        (["ablate", "--table", "3", "--set", "scale=[2,0.5]"], 2, ["scale", "low, high"]),
        (["ablate", "--table", "3", "--set", "watermark="], 2, ["watermark", "preset"]),
        (["ablate", "--table", "3", "--set", 'consistency=["cleen"]'], 2, ["cleen", "clean"]),
        (
            ["ablate", "--table", "3", "--on", "local", "--workers", "2"],
            2,
            ["--workers", "--on ray"],
        ),
        (
            ["ablate", "--table", "3", "--device", "meta", "--dry-run"],
            2,
            ["meta", "choose one of: cpu"],
        ),
        (["data", "street", "--out", "/proc/x"], 5, ["/proc/x", "another folder"]),
        (["ablate", "--table", "3", "--plugin", "no_such_part"], 2, ["no_such_part"]),
        (["ablate", "--table", "3", "--tabel", "3"], 2, ["--tabel"]),
        (["ablate"], 2, ["--table"]),
        (
            ["ablate", "--table", "3", "--device", "cuda:9", "--preset", "smoke", "--on", "local"],
            2,
            ["cuda:9", "choose one of: cpu"],
        ),
        (["ablate", "--table", "3", "--data", "camvid"], 2, ["--root"]),
        (
            ["ablate", "--table", "3", "--data", "camvid", "--root", "nowhere"],
            3,
            ["nowhere", "no such folder"],
        ),
        (
            ["ablate", "--table", "3", "--preset", "smoke", "--reports", "/proc/nothing"],
            5,
            ["/proc/nothing", "another folder"],
        ),
        (["show", "table4"], 2, ["table4", "table3"]),
        (["show", "missing.toml"], 2, ["missing.toml"]),
        (["report", "nowhere"], 2, ["nowhere", "no such folder"]),
        (["evaluate", "nothing.safetensors"], 3, ["nothing.safetensors"]),
        (["flops", "--n", "97"], 2, ["97"]),
        (["nonsense"], 2, ["nonsense"]),
    ],
)
def test_bad_input_is_one_line_with_the_remedy_and_the_right_code(
    arguments, code, parts, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    out, err = said(capsys)
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for part in parts:
        assert part in err


def damage_nothing(root):
    pass


def drop_label(root):
    next((root / "trainannot").iterdir()).unlink()


def cut_image(root):
    path = sorted((root / "val").iterdir())[0]
    path.write_bytes(path.read_bytes()[:200])


def stray_id(root):
    look_alikes.save(sorted((root / "valannot").iterdir())[1], np.full((24, 32), 77, np.uint8))


def other_size(root):
    look_alikes.save(sorted((root / "trainannot").iterdir())[2], np.zeros((12, 16), np.uint8))


def empty(root):
    for path in (root / "train").iterdir():
        path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (drop_label, "trainannot"),
        (cut_image, "0016E5_01400"),
        (stray_id, "77"),
        (other_size, "12"),
        (empty, "train"),
    ],
)
def test_bad_data_are_named_before_anything_runs(damage, part, capsys, tmp_path):
    root = look_alikes.camvid(tmp_path / "camvid")
    damage(root)
    assert main(camvid(root, "--reports", str(tmp_path / "run"))) == 3
    _, err = said(capsys)
    assert err.strip().count("\n") == 0
    assert part in err
    assert not (tmp_path / "run" / "plan.json").exists()


def test_half_of_camvid_is_not_camvid(capsys, tmp_path):
    root = look_alikes.camvid(tmp_path / "camvid")
    assert main(["data", "check", "--data", "camvid", "--root", str(root)]) == 3
    assert "367" in said(capsys)[1]


@pytest.mark.slow
def test_ablate_on_camvid_then_report_without_pictures(capsys, tmp_path, undrawn):
    root, run = look_alikes.camvid(tmp_path / "camvid"), tmp_path / "run"
    assert main(camvid(root, "--rows", "Baseline", "--reports", str(run), "--json")) == 0
    document = json.loads(said(capsys)[0])
    assert [row["row"] for row in document["rows"]][-1] == "MSAF"
    assert document["rows"][-1]["published_miou"] == 80.4
    assert (run / "figures" / "table3_strip.png").exists()
    assert main(["report", str(run), "--no-pictures"]) == 0
    assert not (run / "figures" / "table3_strip.png").exists()
    assert (run / "figures" / "table3_miou.svg").exists()


@pytest.mark.slow
def test_train_evaluate_predict(capsys, tmp_path):
    assert (
        main(["train", "msaf-r18", "--preset", "smoke", "--reports", str(tmp_path / "t"), "--json"])
        == 0
    )
    trained = json.loads(said(capsys)[0])
    assert main(["evaluate", trained["checkpoint"], "--preset", "smoke", "--json"]) == 0
    assert json.loads(said(capsys)[0])["miou"] == trained["miou"]
    assert (
        main(["data", "street", "--out", str(tmp_path / "s"), "--frames", "4", "--size", "32x64"])
        == 0
    )
    said(capsys)
    frames = tmp_path / "s" / "street_00000" / "frames"
    assert (
        main(
            [
                "predict",
                trained["checkpoint"],
                "--frames",
                str(frames),
                "--out",
                str(tmp_path / "p"),
                "--json",
            ]
        )
        == 0
    )
    predicted = json.loads(said(capsys)[0])
    assert (predicted["frames"], predicted["numbering"]["patterns"], predicted["ignored"]) == (
        4,
        ["{frame}"],
        [],
    )
    # its own it may replace
    assert (
        main(
            [
                "predict",
                trained["checkpoint"],
                "--frames",
                str(frames),
                "--out",
                str(tmp_path / "p"),
            ]
        )
        == 0
    )
    assert "1 video, frames numbered as {frame} (decimal)" in said(capsys)[0]
    with Image.open(tmp_path / "p" / "000003.png") as picture:
        assert picture.size == (64, 32)
        assert np.asarray(picture).max() < 11
    (frames / "000002.png").write_bytes(b"no picture")
    assert (
        main(
            [
                "predict",
                trained["checkpoint"],
                "--frames",
                str(frames),
                "--out",
                str(tmp_path / "q"),
            ]
        )
        == 3
    )
    assert "000002.png" in said(capsys)[1]


@pytest.mark.slow
def test_exact_flow_of_real_video_stops_before_anything_is_trained(capsys, tmp_path):
    root = look_alikes.camvid(tmp_path / "camvid")
    assert main([*camvid(root, "--set", 'flow="exact"'), "--reports", str(tmp_path / "run")]) == 2
    assert "use flow dis" in said(capsys)[1]
    assert not (tmp_path / "run" / "records").exists()


@pytest.mark.slow
def test_compare_finds_no_change_in_the_same_run(capsys, tmp_path, undrawn):
    command = ["ablate", "--table", "3", "--preset", "smoke", "--on", "local", "--speed", "0"]
    command += ["--rows", "Baseline", "--no-controls", "--no-pictures", "--set", "flow=none"]
    run = tmp_path / "a"
    assert main([*command, "--seeds", "2", "--reports", str(run)]) == 0
    shutil.copytree(run, tmp_path / "b")
    said(capsys)
    assert main(["compare", str(run), str(tmp_path / "b"), "--json"]) == 0
    assert {row["state"] for row in json.loads(said(capsys)[0])["rows"]} == {"same"}
    shorter = ["--seeds", "1", "--set", "steps=1", "--reports", str(tmp_path / "c")]
    assert main([*command, *shorter]) == 0
    assert main(["compare", str(run), str(tmp_path / "c")]) == 2
    assert "steps 4 and 1" in said(capsys)[1]


@pytest.mark.slow
def test_a_plug_in_may_lie_in_the_current_folder(tmp_path):
    """As the README shows it, through the installed command."""
    (tmp_path / "my_part.py").write_text(
        "from torch import nn\nclass Shift(nn.Module):\n    def __init__(self, width, *, by=1):\n  "
        "      super().__init__()\n        self.by = by\n    def forward(self, past, newest):\n    "
        "    return past.roll(self.by, -1)\ndef register(registry):\n   "
        " registry.align.add('shift', Shift)\n"
    )
    (tmp_path / "mine.toml").write_text(
        'title = "t"\nsource = "mine"\nbase = "msaf-r50"\nmetrics = ["miou"]\nreference ='
        ' "MSAF"\n[rows.MSAF]\n[rows.shift]\nswap = { align = { use = "shift", by = 2 } }\n'
    )
    command = [
        str(Path(sys.executable).parent / "msaf-bench"),
        "ablate",
        "--table",
        "mine.toml",
        "--plugin",
        "my_part",
        "--preset",
        "smoke",
    ]
    done = subprocess.run(
        [*command, "--seeds", "1", "--on", "local", "--speed", "1", "--no-pictures"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run = tmp_path / "reports" / "mine-street-smoke"
    assert (run / "mine.html").exists()
    with (run / "mine.csv").open() as file:
        assert all(
            float(row["ms_clip"]) > 0 and float(row["fps_stream"]) > 0
            for row in csv.DictReader(file)
        )


SYSTEMS = """
title = "Two systems and a number"
source = "mine"
metrics = ["miou", "fps"]
reference = "PSPNet"
[rows.PSPNet]
system = "pspnet18"
paper = { miou = 75.5 }
[rows.DFF]
system = "dff-r101"
paper = { miou = 68.7, fps = 5.6 }
[rows.Somebody]
paper = { miou = 70.0 }
"""


@pytest.mark.slow
def test_rows_that_are_only_printed_stand_in_the_table_of_those_that_run(capsys, tmp_path, undrawn):
    (tmp_path / "mine.toml").write_text(SYSTEMS)
    table = ["ablate", "--table", str(tmp_path / "mine.toml")]
    command = [
        *table,
        "--preset",
        "smoke",
        "--seeds",
        "1",
        "--on",
        "local",
        "--speed",
        "0",
        "--set",
        "steps=1",
        "--set",
        "flow=none",
    ]
    assert main([*command, "--reports", str(tmp_path / "all")]) == 0
    with (tmp_path / "all" / "mine.csv").open() as file:
        states = {row["row"]: row["state"] for row in csv.DictReader(file)}
    assert states == {"PSPNet": "done", "DFF": "done", "Somebody": "only printed"}
    said(capsys)
    assert main([*command, "--rows", "Somebody", "--reports", str(tmp_path / "more")]) == 2
    assert "only printed" in said(capsys)[1]


@pytest.mark.slow
def test_a_dry_run_runs_nothing(capsys, tmp_path):
    assert (
        main(
            [
                "ablate",
                "--table",
                "3",
                "--preset",
                "smoke",
                "--dry-run",
                "--json",
                "--reports",
                str(tmp_path / "r"),
            ]
        )
        == 0
    )
    assert json.loads(said(capsys)[0])["trials"] == 65
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_a_failed_row_ends_with_code_1_and_is_in_the_table(capsys, tmp_path, monkeypatch, undrawn):
    from msaf_bench.architectures.msaf import MSAF

    plain = MSAF.loss
    monkeypatch.setattr(
        MSAF,
        "loss",
        lambda net, out, labels: plain(net, out, labels) * (float("nan") if out.aux else 1),
    )
    command = [
        "ablate",
        "--table",
        "3",
        "--preset",
        "smoke",
        "--seeds",
        "1",
        "--on",
        "local",
        "--speed",
        "0",
    ]
    only = ["--rows", "Baseline", "--no-controls", "--no-pictures"]
    assert main([*command, *only, "--reports", str(tmp_path)]) == 1
    out, err = said(capsys)
    assert "non-finite loss" in err
    assert re.search(r"MSAF .*failed", out)
    assert "non-finite loss" in (tmp_path / "table3.html").read_text()


@pytest.mark.parametrize(
    "arguments", [["--debug", "show", "table33"], ["show", "table33", "--debug"]]
)
def test_debug_shows_where(arguments, capsys):
    assert main(arguments) == 2
    assert "Traceback" in said(capsys)[1]


@pytest.mark.slow
def test_every_command_in_the_workflow_and_the_makefile_exists():
    words = set()
    for name in (".github/workflows/ci.yml", "Makefile"):
        words |= set(re.findall(r"(?m)(?:^|/|`)msaf-bench ([a-z]+)\b", (ROOT / name).read_text()))
    help_text = subprocess.run(
        [sys.executable, "-m", "msaf_bench", "--help"],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
        check=True,
    ).stdout
    assert words
    assert [word for word in words if f" {word} " not in help_text] == []
