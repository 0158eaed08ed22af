"""Kept files: every flipped bit is noticed, half-written files go, and other people's rights are
the umask's.
"""

import hashlib
import os
import random
import stat
import subprocess

import numpy as np
import pytest
from safetensors.torch import save

from msaf_bench.analyzers.speed.latency import summarise
from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.catalog import read_conditions, read_system, read_table
from msaf_bench.data.labels.stack import read_stack, write_stack
from msaf_bench.errors import BenchError, DataError, HostError
from msaf_bench.files import PARTS, lives, remove_parts, write_atomic, write_kept
from msaf_bench.records import (
    Host,
    Matrices,
    Record,
    SystemCost,
    read_record,
    read_records,
    write_record,
)
from msaf_bench.spec import Trial
from msaf_bench.sweep import row_speeds as speed_module
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.row_costs import read_cost
from msaf_bench.sweep.workspace import Workspace
from msaf_bench.train.checkpoint import Sidecar, read_checkpoint

SYSTEM, CONDITIONS = read_system("msaf-r18"), read_conditions("smoke", "street")
TRIAL = Trial(system=SYSTEM, conditions=CONDITIONS, seed=0)


def a_record(folder):
    counts = Matrices.pack(np.arange(2 * 11 * 11).reshape(2, 11, 11))
    record = Record(
        trial=TRIAL, state="done", host=Host.here(), data="abc", confusion=counts, loss=((10, 1.5),)
    )
    return write_record(folder, record), read_record


def a_plan(folder):
    write_kept(folder / "plan.json", make_plan(read_table("3"), CONDITIONS))
    return folder / "plan.json", lambda path: Workspace(path.parent).plan()


def a_cost(folder):
    path = folder / f"{SYSTEM.key}-64x96-5.json"
    write_kept(
        path, SystemCost(system=SYSTEM, size=(64, 96), num_classes=5, params=7, clip=8, stream=(9,))
    )
    return path, read_cost


def a_speed(folder):
    conditions = speed_module._conditions(
        make_plan(read_table("3"), CONDITIONS), speed_module.Setting(Workspace(folder)), "clip", 2
    )
    path = folder / "speed" / f"{SYSTEM.key}-clip.json"
    write_kept(
        path,
        Speed(
            system=SYSTEM,
            conditions=conditions,
            num_classes=5,
            host=Host.here(),
            latency=summarise([2.0, 4.0]),
        ),
    )
    return path, lambda _: speed_module._read(Workspace(folder), SYSTEM, ["clip"])


def a_sidecar(folder):
    content = save({})
    write_atomic(folder / "step-0000001.safetensors", content)
    sidecar = Sidecar(
        sha256=hashlib.sha256(content).hexdigest(),
        step=1,
        system=SYSTEM,
        num_classes=5,
        loss=((1, 2.5),),
    )
    write_kept(folder / "step-0000001.json", sidecar)
    return (
        folder / "step-0000001.json",
        lambda path: read_checkpoint(path.with_suffix(".safetensors")).sidecar,
    )


def outcome(read, path):
    """What is read, or the message of the error."""
    try:
        return read(path), None
    except BenchError as error:
        return None, str(error)


KINDS = [a_record, a_plan, a_cost, a_speed, a_sidecar]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_refused_by_name_or_changes_nothing(tmp_path, kind):
    path, read = kind(tmp_path)
    whole, content = read(path), path.read_bytes()
    draw, refused = random.Random(0), 0
    for _ in range(200):
        damaged = bytearray(content)
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        found, said = outcome(read, path)
        assert said is None or path.name in said
        assert said is not None or found == whole
        refused += said is not None
    assert refused > 100


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["gone", "empty", "a folder", "a list", "deep"])
def test_a_file_that_is_none_of_these_is_one_error_that_names_it(tmp_path, kind, damage):
    path, read = kind(tmp_path)
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage != "gone":
        path.write_text({"empty": "", "a list": "[1]", "deep": "[" * 100_000}[damage])
    _, said = outcome(read, path)
    if kind is a_speed and damage == "gone":
        assert said is None  # what was not timed yet
    else:
        assert str(path.parent) in said
        assert len(said) < 500


@pytest.mark.parametrize("kind", [a_record, a_cost])
def test_a_file_whose_name_is_not_its_content_is_refused(tmp_path, kind):
    path, read = kind(tmp_path)
    other = path.with_name(path.name.replace(path.stem[:12], "0" * 12))
    path.rename(other)
    with pytest.raises(HostError, match=f"{other.name}.*unlike its file name"):
        read(other)


def test_a_speed_of_another_mode_than_its_name_says_is_refused(tmp_path):
    path, _ = a_speed(tmp_path)
    path.rename(path.with_name(path.name.replace("clip", "stream")))
    with pytest.raises(HostError, match="stream.json.*unlike its file name"):
        speed_module._read(Workspace(tmp_path), SYSTEM, ["stream"])


def test_of_two_copies_of_a_trial_neither_wins_silently(tmp_path):
    path, _ = a_record(tmp_path)
    (tmp_path / "zzz.json").write_bytes(path.read_bytes())
    with pytest.raises(HostError, match="zzz.json"):
        read_records(tmp_path)


def test_only_what_dead_processes_left_half_written_is_removed(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert not lives(gone.pid)
    assert lives(os.getpid())
    parts = {
        pid: tmp_path / "checkpoints" / "abc" / PARTS.replace("*", f"{pid}-0a")
        for pid in (gone.pid, os.getpid())
    }
    for path in parts.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    with Workspace(tmp_path).lock():
        assert not parts[gone.pid].exists()
    assert parts[os.getpid()].exists()
    remove_parts(tmp_path / "nowhere")


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_the_umask_decides_who_may_read(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "new" / "x", b"1")
        with Workspace(tmp_path / "run").lock():
            pass
    finally:
        os.umask(before)
    for path in (tmp_path / "new" / "x", tmp_path / "run" / ".lock"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o777 & ~umask


@pytest.mark.slow
def test_a_damaged_picture_of_predictions_is_named_or_changes_nothing(tmp_path):
    path = tmp_path / "x.png"
    maps = [np.arange(24, dtype=np.uint8).reshape(4, 6)] * 2
    write_stack(path, maps)
    whole = path.read_bytes()
    for cut in range(len(whole) - 12):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match="x.png"):
            read_stack(path, 2)
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found, said = outcome(lambda path: read_stack(path, 2), path)
        assert (said and path.name in said) or np.array_equal(found, maps)
