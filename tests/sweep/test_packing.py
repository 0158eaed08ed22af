"""A packed run is a run: the same records but for what no report reads, and the same report."""

import base64
import json
import tarfile
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.cli import main
from msaf_bench.errors import HostError, UsageError
from msaf_bench.findings.run import load_run, summarise_run
from msaf_bench.matrices import SparseMatrices
from msaf_bench.packed import ARCHIVE, FIELDS, Stack, archive, document, holds, names
from msaf_bench.records import (
    Consistency,
    Host,
    Matrices,
    Record,
    read_record,
    read_records,
    write_record,
)
from msaf_bench.report.kinds import view_of
from msaf_bench.report.tables.values import to_csv
from msaf_bench.sweep.driver import run_sweep
from msaf_bench.sweep.events import Silent
from msaf_bench.sweep.packing import pack
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.workspace import Setting, Workspace

PLAN = make_plan(
    read_table("3"), read_conditions("smoke", "street"), ["Baseline", "MSAF", "w/o DCN"], 2
)


def record(trial, images=5):
    rng = np.random.default_rng([trial.seed, int(trial.id, 16) % 2**31])

    def matrices():
        return rng.integers(0, 70_000, (images, 11, 11)) * (rng.random((images, 11, 11)) < 0.3)

    return Record(
        trial=trial,
        state="done",
        host=Host.here(),
        data="abc",
        class_names=tuple(f"class {i}" for i in range(11)),
        confusion=Matrices.pack(matrices() + np.eye(11, dtype=np.int64) * 1000),
        still=Matrices.pack(matrices() + np.eye(11, dtype=np.int64)),
        consistency=(
            Consistency(
                preset="clean", flow="exact", value=71.5, matrices=Matrices.pack(matrices())
            ),
        ),
        loss=((1, 1.5),),
    )


@pytest.fixture
def run(tmp_path):
    workspace = Workspace(tmp_path / "run")
    workspace.keep(PLAN)
    for trial in PLAN.trials():
        write_record(workspace.records, record(trial))
    return workspace


def pooled(found):
    """The record that is expected of a packed run, made the slow way."""
    still = Matrices.pack(found.still.unpack().sum(0, keepdims=True))
    return found.model_copy(
        update={
            "still": still.model_copy(update={"pooled": found.still.images}),
            "consistency": tuple(
                each.model_copy(update={"matrices": None}) for each in found.consistency
            ),
        }
    )


def test_the_records_are_the_same_but_for_what_no_report_reads(run):
    before = read_records(run.records)
    (packed,) = pack(run.folder)
    assert not run.records.exists()
    assert packed.documents == len(before) == 6
    assert packed.after < packed.before
    assert read_records(run.records) == {name: pooled(found) for name, found in before.items()}
    assert names(run.records) == sorted(f"{name}.json" for name in before)


def test_the_report_is_the_same_to_the_letter(run):
    def tables():
        view = view_of(summarise_run(run, run.plan()))
        return to_csv(view), view.kind.markdown(view)

    before = tables()
    pack(run.folder)
    assert tables() == before


def test_old_matrices_and_a_second_packing_change_nothing(run):
    trial = PLAN.trials()[0]
    path = run.record(trial)
    dense = record(trial)
    data = dense.confusion.unpack().astype("<u4").tobytes()
    old = Matrices(images=5, classes=11, zlib=base64.b64encode(zlib.compress(data)).decode())
    write_record(run.records, dense.model_copy(update={"confusion": old}))
    assert read_record(path).confusion.cells is None
    pack(run.folder)
    assert read_record(path) == pooled(dense)
    once = (run.folder / ARCHIVE).read_bytes()
    pack(run.folder)
    assert (run.folder / ARCHIVE).read_bytes() == once


def test_a_packed_run_goes_on_and_is_packed_again(run):
    lost, *_ = PLAN.trials()
    found = read_record(run.record(lost))
    run.record(lost).unlink()
    pack(run.folder)
    assert run.holds_records()
    finished = run.finished(PLAN, resume=True)
    assert {trial.id for trial in PLAN.trials()} - set(finished) == {lost.id}
    with pytest.raises(UsageError, match="--resume"):
        run.finished(PLAN, resume=False)
    write_record(run.records, found)
    assert set(run.finished(PLAN, resume=True)) == {trial.id for trial in PLAN.trials()}
    assert run_sweep(PLAN, Setting(run), Silent(), resume=True) is None
    pack(run.folder)
    assert set(run.finished(PLAN, resume=True)) == {trial.id for trial in PLAN.trials()}
    assert list(load_run(run.folder).records) == sorted(trial.id for trial in PLAN.trials())


def test_a_file_in_the_folder_goes_before_the_packed_one(run):
    trial = PLAN.trials()[0]
    pack(run.folder)
    newer = record(trial).model_copy(update={"loss": ((9, 0.5),)})
    write_record(run.records, newer)
    assert read_record(run.record(trial)) == newer
    assert len(read_records(run.records)) == 6


def test_each_point_of_a_study_is_packed(tmp_path):
    for value in (1, 2):
        point = Workspace(tmp_path / "points" / f"occluders-{value}")
        write_record(point.records, record(PLAN.trials()[value]))
    assert [each.documents for each in pack(tmp_path)] == [1, 1]
    assert Workspace(tmp_path).holds_records()


@pytest.mark.parametrize("damage", [b"", b"no archive", "cut", "flipped"])
def test_a_damaged_archive_is_one_line_and_never_a_missing_record(run, damage, capfd):
    pack(run.folder)
    path = run.folder / ARCHIVE
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flipped":
        data[len(data) // 2] ^= 255
    else:
        data = damage
    path.write_bytes(data)
    with pytest.raises(HostError, match=r"packed\.tar\.xz: damaged"):
        read_records(run.records)
    assert main(["report", str(run.folder)]) == 5
    assert "packed.tar.xz: damaged" in capfd.readouterr().err


def test_archives_of_others_are_refused(run):
    pack(run.folder)
    path = run.folder / ARCHIVE
    with tarfile.open(path, "w:xz") as tar:
        tar.addfile(tarfile.TarInfo("records/nothing.json"))
    with pytest.raises(HostError, match="damaged"):
        names(run.records)


def test_bad_input_is_one_line(tmp_path, capfd):
    assert main(["pack", str(tmp_path / "nope")]) == 2
    assert main(["pack", str(tmp_path)]) == 2
    err = capfd.readouterr().err.splitlines()
    assert ["no such folder" in err[0], "holds no records" in err[1], len(err)] == [True, True, 2]


def test_the_command_says_what_it_did(run, capfd):
    assert main(["pack", str(run.folder), "--json"]) == 0
    (said,) = json.loads(capfd.readouterr().out)
    assert said["documents"] == 6
    assert main(["pack", str(run.folder)]) == 0
    assert f"{run.folder}: 6 documents" in capfd.readouterr().out


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        arrays(np.int64, (3, 4, 4), elements=st.sampled_from([0, 0, 0, 1, 255, 256, 2**32 - 1])),
        min_size=1,
        max_size=4,
    )
)
def test_any_matrices_come_back(tmp_path_factory, dense):
    folder = tmp_path_factory.mktemp("run")
    sparse = tuple(SparseMatrices(4, each) for each in dense)
    keys = tuple(f"records/{i}.json" for i in range(len(dense)))
    empty = {"images": 3, "classes": 4, "cells": 0, "zlib": ""}
    documents = {key: {field: dict(empty) for field in FIELDS} for key in keys}
    stacks = [Stack(field, 3, 4, keys, sparse) for field in FIELDS]
    (folder / ARCHIVE).write_bytes(archive(documents, stacks))
    for key, expected in zip(keys, dense, strict=True):
        assert holds(folder / key)
        found = document(folder / key)
        for field in FIELDS:
            np.testing.assert_array_equal(Matrices(**found[field]).unpack(), expected)
    assert not holds(folder / "records" / "other.json")
