"""Components of others in a real sweep: what they print and how they end."""

import json
from functools import partial

import pytest
from forked import start

from msaf_bench import foreign
from msaf_bench.architectures import builtin
from msaf_bench.cli import main
from msaf_bench.records import read_records

PLUGIN = """
import os
import torch

print("noise of an import")


class Noisy(torch.nn.Module):
    frames, idle = 1, True

    def __init__(self, *, end: str = ""):
        super().__init__()
        self.end = end
        print("noise of a component")

    def forward(self, frames):
        os.system("echo noise of a child")
        if self.training and not frames.is_meta and self.end:
            ends = {"exit": SystemExit(0), "interrupt": KeyboardInterrupt()}
            raise {**ends, "leave": GeneratorExit()}[self.end]
        return frames


def register(registry):
    registry.motion.add("noisy", lambda *, end="": Noisy(end=end))
"""
TABLE = """
title = "Components of others"
source = "a test"
base = "msaf-r18"
metrics = ["miou"]
reference = "Noisy"
[rows.Noisy]
swap = { motion = "noisy", align = "none" }
[rows.Exit]
swap = { motion = { use = "noisy", end = "exit" }, align = "none" }
[rows.Interrupt]
swap = { motion = { use = "noisy", end = "interrupt" }, align = "none" }
[rows.Leave]
swap = { motion = { use = "noisy", end = "leave" }, align = "none" }
"""


# Waits until a timer of this process has run.
SLOW = """
import threading

for thread in threading.enumerate():
    if isinstance(thread, threading.Timer):
        thread.join()


def register(registry):
    pass
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A sweep of four rows with such components, and its folder."""
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "noisy_parts.py").write_text(PLUGIN)
    (folder / "table.toml").write_text(TABLE)
    small = [
        "--preset",
        "smoke",
        "--seeds",
        "1",
        "--speed",
        "1",
        "--set",
        "steps=2",
        "--no-pictures",
        "--on",
        "local",
    ]
    command = [
        "ablate",
        "--table",
        "table.toml",
        *small,
        "--plugin",
        "noisy_parts",
        "--reports",
        "run",
        "--json",
    ]
    process = start(partial(main, command), folder / "out", folder / "err", cwd=folder)
    process.join()
    said = ((folder / name).read_text() for name in ("out", "err"))
    return process.exitcode, *said, folder / "run"


@pytest.mark.slow
def test_standard_output_is_one_document(ended):
    code, out, err, _ = ended
    assert code == 1, err
    document = json.loads(out)
    assert [row["label"] for row in document["rows"]] == ["Noisy", "Exit", "Interrupt", "Leave"]
    for noise in ("an import", "a component", "a child"):
        assert f"noise of {noise}" in err


@pytest.mark.slow
def test_a_component_that_ends_the_program_fails_its_own_trials(ended):
    *_, folder = ended
    found = {}
    for record in read_records(folder / "records").values():
        found.setdefault(dict(record.trial.system["motion"].options).get("end", ""), []).append(
            (record.state, record.reason)
        )
    assert found[""] == [("done", "")]
    assert {(state, reason.split(":")[1].strip()) for state, reason in found["exit"]} == {
        ("failed", "it called sys.exit(0)")
    }
    assert {state for end in ("interrupt", "leave") for state, _ in found[end]} == {"failed"}


def test_a_plug_in_that_loads_slowly_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(foreign, "SLOW_S", 0.01)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "slow_parts.py").write_text(SLOW)
    builtin().extend(["slow_parts"])
    assert "still loading plug-in 'slow_parts'" in capsys.readouterr().err
