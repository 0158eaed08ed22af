"""Kills a small sweep at random times, lets it go on, and holds the outcome against an undisturbed
one.

    python tests/kills.py --kills 60 --seed 1

Each sweep runs in a fork of this process, so that no time goes into imports. After every kill no
finished record may be written again; a sweep that was killed until it ended must leave the same
numbers, the same weights and label maps to the byte, and no file more.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import torch
from heard import Heard

from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.findings.run import summarise_run
from msaf_bench.records import read_records
from msaf_bench.report.kinds import view_of
from msaf_bench.report.tables.values import to_csv
from msaf_bench.sweep.driver import run_sweep
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.workspace import Setting, Workspace
from msaf_bench.train import course

CONDITIONS = read_conditions(
    "smoke", "street", {"steps": 8, "pretrain_steps": 8, "checkpoint_every": 2, "flow": "dis"}
)
PLAN = make_plan(
    read_table("3").model_copy(update={"reference": "Baseline"}), CONDITIONS, ["Motion only"], 1
)


def begin(folder):
    """A process that runs the sweep, or what is missing of it."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        torch.set_num_threads(1)
        course.CLOCK_S = 0.05  # the wall clock asks for checkpoints too
        run_sweep(PLAN, Setting(Workspace(folder)), Heard(), resume=True)
        code = 0
    finally:
        if code:
            traceback.print_exc()
        os._exit(code)


def outcome(folder):
    """What must not depend on kills: numbers, the table, files by name, weights and label maps."""
    timed = {"seconds": (), "peak_mib": 0.0, "ended": ""}
    numbers = {
        i: record.model_copy(update=timed) for i, record in read_records(folder / "records").items()
    }
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    bytes_ = {
        path.name: path.read_bytes() for path in paths if path.suffix in (".safetensors", ".png")
    }
    workspace = Workspace(folder)
    return (
        numbers,
        to_csv(view_of(summarise_run(workspace, workspace.plan()))),
        [str(path.relative_to(folder)) for path in paths],
        bytes_,
    )


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("records/*.json")}


def kill_until_done(folder, seconds, kills, draw):
    """Runs the sweep with at most so many kills in a row; gives the number of kills."""
    done = 0
    while True:
        before, process, wait = stamps(folder), begin(folder), draw.uniform(0, seconds)
        end = time.monotonic() + (wait if done < kills else 600)
        while (ended := os.waitpid(process, os.WNOHANG))[0] == 0 and time.monotonic() < end:
            time.sleep(0.005)
        if ended[0]:
            assert ended[1] == 0, f"the sweep ended with status {ended[1]}"
        else:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            done += 1
        assert before.items() <= stamps(folder).items(), "a finished record was written again"
        if ended[0]:
            return done


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    draw, done, rounds = random.Random(given.seed), 0, 0
    with tempfile.TemporaryDirectory() as root:
        start = time.monotonic()
        kill_until_done(Path(root, "undisturbed"), 0, 0, draw)
        seconds, whole = time.monotonic() - start, outcome(Path(root, "undisturbed"))
        while done < given.kills:
            rounds += 1
            folder = Path(root, str(rounds))
            done += kill_until_done(folder, seconds, given.kills - done, draw)
            for what, ours, theirs in zip(
                ("numbers", "table", "files", "weights and maps"),
                outcome(folder),
                whole,
                strict=True,
            ):
                assert ours == theirs, f"round {rounds}: other {what}"
    print(
        f"{done} kills in {rounds} sweeps of {seconds:.1f} s: nothing lost, nothing left behind,"
        " nothing made twice"
    )


if __name__ == "__main__":
    sys.exit(main())
