"""Data sets described by files, from the check to the report, without a line of Python; and a
plug-in's own reader.
"""

import json
import re
import textwrap
from pathlib import Path

import pytest
from data.readers import look_alikes
from forked import blank_figures
from typer.testing import CliRunner

from msaf_bench.cli import app, main
from msaf_bench.records import read_records

DOCS = Path(__file__).parents[2] / "docs" / "data.md"
SMALL = [
    "ablate", "--table", "3", "--rows", "Baseline,MSAF", "--no-controls", "--preset", "smoke",
    "--set", "steps=2", "--seeds", "1", "--speed", "0", "--on", "local", "--json",
]  # fmt: skip
LOOK_ALIKES = {
    "vspw": (look_alikes.vspw, "vspw", 124),
    "kitti-step": (look_alikes.kitti_step, "kitti-step", 19),
    "own videos": (look_alikes.own_videos, "mine.toml", 3),
}


def test_the_documentation_shows_what_is_tested():
    block = re.search(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)[1]
    assert block == look_alikes.OWN
    assert len(block.splitlines()) == 5


@pytest.mark.slow
def test_the_documentations_made_up_data(tmp_path, monkeypatch, capsys):
    """Its blocks, pasted one after the other; the table is left to the test below."""
    monkeypatch.chdir(tmp_path)
    text = DOCS.read_text()
    (command,) = re.findall(r"```bash\nmsaf-bench (data street .*)\n```", text)
    assert main(command.split()) == 0
    (description,) = re.findall(r"```toml\n# try/made\.toml\n(stills.*?)```", text, re.DOTALL)
    (tmp_path / "try" / "made.toml").write_text(description)
    assert "--data try/made.toml" in text
    assert main(["data", "check", "--data", "try/made.toml", "--preset", "smoke"]) == 0
    out = capsys.readouterr().out
    assert "train: 16 clips, 14 pairs of neighbours" in out
    assert "score: 16 clips, 14 pairs of neighbours" in out


@pytest.mark.slow
@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_from_the_check_to_the_report(tmp_path, monkeypatch, capsys, name):
    make, data, classes = LOOK_ALIKES[name]
    root = make(tmp_path / "root")
    where = ["--data", data, "--root", str(root)]
    if data.endswith(".toml"):
        where = ["--data", str(root / data)]  # its folder is the root
    partial = ["--set", "data_options.allow_partial=true"]
    assert main(["data", "check", *where, *partial, "--preset", "smoke", "--json"]) == 0
    checked = json.loads(capsys.readouterr().out)
    assert len(checked["score"]["percent"]) == classes + 1
    assert main(["data", "plan", *where, "--json"]) == 0
    assert all(each["exact"] for each in json.loads(capsys.readouterr().out)["archives"])
    reports = tmp_path / "reports"
    with blank_figures():
        done = CliRunner().invoke(app, [*SMALL, *where, *partial, "--reports", str(reports)])
    assert done.exit_code == 0, done.output
    records = read_records(reports / "records")
    assert len(records) == 2
    for record in records.values():
        assert len(record.class_names) == classes
        assert record.trial.conditions.flow == "dis"
        assert {each.preset: each.value is not None for each in record.consistency} == {
            "clean": True,
            "etc2020": True,
        }
    page = (reports / "table3.html").read_text()
    assert f"data {Path(data).stem}" in page
    # another process renders it from what the run keeps, without the description's file
    if data.endswith(".toml"):
        (root / data).unlink()
    again = ["report", str(reports), "--root", str(root), "--json"]
    with blank_figures():
        assert CliRunner().invoke(app, again).exit_code == 0


@pytest.mark.slow
def test_a_finished_run_is_not_that_of_other_data(tmp_path, capsys):
    one = look_alikes.own_videos(tmp_path / "one")
    other = look_alikes.own_videos(tmp_path / "other", frames=13)
    reports = ["--reports", str(tmp_path / "r")]
    assert main([*SMALL, "--data", str(one / "mine.toml"), *reports]) == 0
    capsys.readouterr()
    again = [*SMALL, "--resume", *reports]
    assert main([*again, "--data", str(other / "mine.toml")]) == 3
    assert "the finished trials read different data" in capsys.readouterr().err
    assert main([*again, "--data", str(one / "mine.toml")]) == 0
    for root, shown in ((one, False), (other, True)):
        assert main(["report", str(tmp_path / "r"), "--root", str(root)]) == 0
        page = (tmp_path / "r" / "table3.html").read_text()
        assert ("differs from the data of the run" in page) == shown


@pytest.mark.slow
def test_a_split_that_is_all_void_is_refused_before_training(tmp_path, capsys):
    root = look_alikes.own_videos(tmp_path)
    void = look_alikes.OWN.replace(
        '"labels/{video}/{frame}.png"',
        '{ pattern = "labels/{video}/{frame}.png", first = 3, ignore = [0, 1, 2] }',
    )
    (root / "mine.toml").write_text(void)
    assert main([*SMALL, "--data", str(root / "mine.toml"), "--reports", str(tmp_path / "r")]) == 3
    assert "mine: every pixel of the training split is void; correct" in capsys.readouterr().err
    assert not (tmp_path / "r" / "records").exists()


PLUGIN = """
import numpy as np
from msaf_bench.data.clips import Clip


class Drone:
    classes, colours = ("ground", "roof"), ((90, 90, 90), (200, 60, 60))
    fingerprint, repeated, skipped, pairs, unlabelled = "drone", 0, 0, (), 0

    def __init__(self, size, frames):
        self.size, self.frames = size, frames

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if not 0 <= index < 4:
            raise IndexError(index)
        rng = np.random.default_rng(index)
        frames = rng.integers(0, 255, (self.frames, *self.size, 3), np.uint8)
        label = (frames[-1, ..., 0] > 127).astype(np.uint8)
        return Clip(frames, label, f"flight/{index:05d}")

    def picture(self, index):
        return self[index].frames[-1]

    def exact_flow(self, pair):
        return None

    def exact_past(self, index):
        return None


def open_drone(conditions, split, root):
    return Drone(conditions.size, conditions.frames)


def register(registry):
    registry.data.add("drone", open_drone)
"""


@pytest.mark.slow
def test_a_plugins_reader(tmp_path, monkeypatch, capsys):
    (tmp_path / "drones.py").write_text(textwrap.dedent(PLUGIN))
    monkeypatch.chdir(tmp_path)
    own = ["--data", "drone", "--plugin", "drones"]
    assert main(["data", "check", *own, "--preset", "smoke"]) == 0
    assert "train: 4 clips" in capsys.readouterr().out
    with blank_figures():
        done = CliRunner().invoke(app, [*SMALL, *own, "--reports", "out"])
    assert done.exit_code == 0, done.output
    assert main(["data", "check", "--data", "drone", "--preset", "smoke"]) == 2
    assert "unknown data set 'drone'" in capsys.readouterr().err
