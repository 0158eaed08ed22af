"""The Python API of the main job."""

import os
import signal
import sys
from importlib import import_module

import cv2
import pytest
import torch
from heard import Heard

import msaf_bench as mb
from msaf_bench.cli import SIGNALS, main
from msaf_bench.errors import UsageError
from msaf_bench.records import read_records

pytestmark = pytest.mark.usefixtures("undrawn")

PLUGIN = """
def register(registry):
    pass
"""


@pytest.mark.slow
def test_a_table_is_run_from_python_and_prints_nothing(tmp_path, capfd):
    heard = Heard()
    small = {"preset": "smoke", "changes": {"steps": 2}, "seeds": 1, "rows": ["w/o DCN"]}
    quiet = {"on": "local", "speed_processes": 0, "controls": False, "pictures": False}
    run = mb.ablate("table3", reports=tmp_path / "run", events=heard, **small, **quiet)
    folder = run.folder
    assert folder == tmp_path / "run"
    assert set(run.frame()["seed"]) == {0}
    assert (folder / "table3.html").exists()
    records = read_records(folder / "records").values()
    assert sorted(record.state for record in records) == ["done", "done"]
    assert {record.trial.conditions.steps for record in records} == {2}
    assert len(heard.records) == 2
    assert heard.steps
    assert any("one seed" in note for note in heard.notes)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(UsageError, match="resume"):
        mb.ablate("table3", reports=tmp_path / "run", **small, **quiet)
    again = mb.ablate("table3", reports=tmp_path / "run", resume=True, **small, **quiet)
    assert again.frame().equals(run.frame())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": "table33"}, "did you mean table3"),
        ({"preset": "quik"}, "did you mean quick"),
        ({"changes": {"stepz": 2}}, "changes: unknown condition 'stepz'; did you mean steps"),
        ({"changes": {"watermark": ""}}, "watermark cannot be changed"),
        ({"changes": {"size.x": 2}}, "size has no options"),
        ({"on": "slurm"}, "unknown executor 'slurm'"),
        ({"data": "camvid"}, "camvid needs --root"),
        ({"rows": ["w/o DCM"]}, "did you mean w/o DCN"),
        ({"seeds": 0}, "give 1 to"),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path, options, said):
    with pytest.raises(UsageError, match=said):
        mb.ablate(**{"table": "3", "preset": "smoke", "reports": tmp_path, **options})


def process():
    """What belongs to the whole process."""
    # these set a variable when they are imported, whoever comes first
    for name in ("msaf_bench.data.frames.timeline", "torch._dynamo"):
        import_module(name)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    threads = torch.get_num_threads(), cv2.getNumThreads()
    return handlers, list(sys.path), dict(os.environ), threads


@pytest.mark.slow
def test_commands_leave_the_process_as_it_was(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    (tmp_path / "mine.py").write_text(PLUGIN)
    smoke = ["--preset", "smoke", "--set", "steps=2", "--plugin", "mine"]
    rows = ["--rows", "Baseline", "--seeds", "1", "--no-controls", "--speed", "0", "--on", "local"]
    before = process()
    for command, code in (
        (["list"], 0),
        (["show", "no such name"], 2),
        (["ablate", "--table", "3", *smoke, *rows, "--dry-run"], 0),
        (["ablate", "--table", "3", *smoke, *rows, "--no-pictures", "--reports", "run"], 0),
        (["train", "pspnet18", *smoke, "--reports", "trained"], 0),
    ):
        assert main(command) == code, capsys.readouterr().err
        assert process() == before, command
