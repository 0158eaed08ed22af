"""What would stop every trial stops the sweep at once, and what was finished before is kept."""

import errno
import os
import shutil
import stat
from collections import namedtuple

import pytest
from heard import Heard

from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.cli import main
from msaf_bench.errors import OF_THE_HOST, DataError, HostError, host_fault
from msaf_bench.records import read_records
from msaf_bench.sweep import trial as trial_module
from msaf_bench.sweep.driver import run_sweep
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.workspace import Setting, Workspace

CONDITIONS = read_conditions("smoke", "street", {"steps": 2, "flow": "dis", "checkpoint_every": 1})
PLAN = make_plan(
    read_table("3").model_copy(update={"reference": "Baseline"}), CONDITIONS, ["Baseline"], 2
)


def sweep(folder, resume=False):
    heard = Heard()
    run_sweep(PLAN, Setting(Workspace(folder)), heard, resume=resume)
    return heard.records


def numbers(folder):
    timed = {"seconds": (), "peak_mib": 0.0, "ended": ""}
    return {
        i: record.model_copy(update=timed) for i, record in read_records(folder / "records").items()
    }


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def begun(monkeypatch):
    """The trials that were begun."""
    found, plain = [], trial_module._begin

    def begin(trial, setting):
        found.append(trial.id)
        return plain(trial, setting)

    monkeypatch.setattr(trial_module, "_begin", begin)
    return found


class Disk:
    """Counts the files that are written; from the given one on there is no room."""

    def __init__(self, monkeypatch, room=None, number=errno.ENOSPC):
        self.written, plain = 0, os.fsync

        def fsync(descriptor):
            self.written += stat.S_ISREG(os.fstat(descriptor).st_mode)
            if room is not None and self.written > room:
                raise OSError(number, os.strerror(number))
            plain(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patched:
        disk = Disk(patched)
        sweep(folder)
    return folder, disk.written


@pytest.mark.slow
def test_a_disk_that_fills_at_any_write_stops_the_sweep_and_loses_nothing(
    tmp_path, undisturbed, begun, monkeypatch
):
    whole, writes = undisturbed
    assert writes > 15
    for room in range(writes):
        folder = tmp_path / str(room)
        begun.clear()
        with monkeypatch.context() as patched:
            Disk(patched, room)
            with pytest.raises(HostError, match="No space left"):
                sweep(folder)
        kept = {path: path.stat().st_mtime_ns for path in folder.glob("records/*")}
        assert len(begun) <= len(kept) + 1, "a trial was begun on a full disk"
        assert not [name for name in files(folder) if name.endswith(".part")]
        if room % 4:
            continue  # a resumed sweep takes its time
        sweep(folder, resume=True)
        assert numbers(folder) == numbers(whole)
        assert files(folder) == files(whole)
        assert {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.parametrize("number", sorted(OF_THE_HOST))
def test_an_error_of_the_host_is_known_behind_any_other(number):
    error = RuntimeError("a component failed")
    error.__cause__ = OSError(number, "gone")
    assert host_fault(error).errno == number
    assert host_fault(RuntimeError("the trial's own")) is None
    assert host_fault(FileNotFoundError(errno.ENOENT, "the trial's own")) is None


@pytest.mark.slow
@pytest.mark.parametrize("kind", [OSError, DataError, RuntimeError])
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ESTALE, errno.EIO])
def test_what_cannot_be_read_stops_the_sweep_too(tmp_path, begun, monkeypatch, kind, number):
    def failing(*args, **options):
        error = OSError(number, os.strerror(number))
        if kind is OSError:
            raise error
        raise kind("a picture cannot be read") from error

    monkeypatch.setattr(trial_module, "train", failing)
    with pytest.raises((HostError, DataError), match=f"{os.strerror(number)}|a picture"):
        sweep(tmp_path)
    assert len(begun) == 1
    assert not list(tmp_path.glob("records/*"))


@pytest.mark.slow
def test_a_disk_that_is_too_small_is_said_before_the_first_trial(tmp_path, begun, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 5, 5))
    with pytest.raises(
        HostError,
        match=(
            r"has 0 MiB free, but this run writes at least \d+ MiB \(checkpoints .*, flow"
            r" .*--reports"
        ),
    ):
        sweep(tmp_path)
    assert not begun


@pytest.mark.slow
def test_the_estimate_of_what_is_written_is_no_more_than_what_is_written(
    tmp_path, undisturbed, monkeypatch
):
    from msaf_bench.sweep import driver as run_module

    wanted = []
    monkeypatch.setattr(run_module, "check_space", lambda *given: wanted.append(given))
    sweep(tmp_path)
    from msaf_bench.sweep import space

    _, trials, nets, _ = wanted[0]
    estimated = sum(space._weights(nets[trial.system.key], trial) for trial in trials)
    written = sum(path.stat().st_size for path in tmp_path.glob("checkpoints/**/*.safetensors"))
    assert 0.4 * written < estimated <= written


@pytest.mark.slow
def test_a_users_folders_stay_where_a_run_is_put_beside_them(tmp_path, undrawn):
    """A run of Table 3 with a frozen backbone and estimated flow, which keeps features and flow
    while it runs.
    """
    own = ["flow", "features", "checkpoints", "cost", "predictions", "speed"]
    for name in own:
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.txt").write_text("mine")
    small = [
        "--rows",
        "Baseline",
        "--seeds",
        "1",
        "--speed",
        "0",
        "--no-controls",
        "--no-pictures",
        "--on",
        "local",
    ]
    options = [
        "--set",
        "steps=2",
        "--set",
        "pretrain_steps=2",
        "--set",
        "backbone_rate=0",
        "--set",
        "draws=1",
        "--set",
        "flow=dis",
    ]
    assert (
        main(
            [
                "ablate",
                "--table",
                "3",
                "--preset",
                "smoke",
                *small,
                *options,
                "--reports",
                str(tmp_path),
            ]
        )
        == 0
    )
    assert all((tmp_path / name / "mine.txt").read_text() == "mine" for name in own)
    assert not list(tmp_path.glob(".msaf-bench-f*"))
