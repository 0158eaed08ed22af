import base64
import json
import os
import stat
import tracemalloc
import zlib

import numpy as np
import pytest

from msaf_bench.catalog import read_conditions, read_system
from msaf_bench.errors import HostError
from msaf_bench.files import _checksum, write_atomic
from msaf_bench.matrices import SparseMatrices
from msaf_bench.records import Host, Matrices, Record, read_record, read_records, write_record
from msaf_bench.spec import Trial

TRIAL = Trial(system=read_system("msaf-r18"), conditions=read_conditions("smoke", "street"), seed=0)


def record(**changes):
    matrices = Matrices.pack(np.arange(18, dtype=np.int64).reshape(2, 3, 3))
    fields = {
        "trial": TRIAL,
        "state": "done",
        "host": Host.here(),
        "data": "abc",
        "confusion": matrices,
        "loss": ((10, 1.5),),
    }
    return Record(**(fields | changes))


@pytest.mark.slow
def test_a_record_comes_back_as_it_went(tmp_path):
    path = write_record(tmp_path, record())
    assert path.stem == TRIAL.id
    assert read_records(tmp_path) == {TRIAL.id: record()}
    np.testing.assert_array_equal(
        read_record(path).confusion.unpack(), np.arange(18).reshape(2, 3, 3)
    )


def test_counts_beyond_16_bits_survive():
    big = np.full((1, 2, 2), 2_000_000_000, np.int64)
    np.testing.assert_array_equal(Matrices.pack(big).unpack(), big)


def dense(matrices):
    """As earlier versions packed them: every cell."""
    packed = base64.b64encode(zlib.compress(matrices.astype("<u4").tobytes(), 9)).decode()
    return {"images": len(matrices), "classes": matrices.shape[1], "zlib": packed}


@pytest.mark.parametrize("shape", [(0, 3, 3), (1, 2, 2), (40, 124, 124), (3, 256, 256)])
def test_matrices_are_packed_without_zeros_and_earlier_ones_are_read(shape):
    rng = np.random.default_rng(0)
    matrices = rng.integers(0, 2**32, shape) * (rng.random(shape) < 0.05)
    packed, earlier = Matrices.pack(matrices), Matrices.model_validate(dense(matrices))
    assert (packed.cells, earlier.cells) == (np.count_nonzero(matrices), None)
    for each in (packed, earlier, Matrices.pack(earlier.sparse())):
        assert each.unpack().dtype == np.int64
        np.testing.assert_array_equal(each.unpack(), matrices)
        assert each.sparse() == packed.sparse()


def test_a_record_of_an_earlier_version_has_the_same_matrices(tmp_path):
    matrices = np.arange(18, dtype=np.int64).reshape(2, 3, 3)
    path = write_record(tmp_path, record(confusion=None))
    content = json.loads(path.read_text()) | {"confusion": dense(matrices)}
    content.pop("checksum")
    path.write_text(json.dumps(content | {"checksum": _checksum(content)}))
    np.testing.assert_array_equal(read_record(path).confusion.unpack(), matrices)


def test_reading_many_large_matrices_needs_little_memory():
    """Every cell of these would be 1.2 GB."""
    tracemalloc.start()
    found = Matrices.pack(SparseMatrices(124, (np.eye(124, dtype=np.int64) for _ in range(10_000))))
    assert found.sparse().sum().trace() == 124 * 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


@pytest.mark.parametrize("damage", ["", "{", '{"format": 2}'])
def test_an_unreadable_record_is_named_and_never_taken_for_missing(tmp_path, damage):
    path = write_record(tmp_path, record())
    path.write_text(damage)
    with pytest.raises(HostError, match=path.name):
        read_records(tmp_path)


def test_a_failed_write_leaves_the_old_file_and_no_debris(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_atomic(path, "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HostError, match="No space left"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_others_may_read_what_is_written(tmp_path):
    write_atomic(tmp_path / "x", b"1")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o644


def test_the_host_says_what_made_a_number():
    host = json.loads(Host.here(threads=3).model_dump_json())
    assert host["threads"] == 3
    assert host["torch"].startswith("2.")
    assert host["cpu"]


ONES = np.ones((2, 3, 3), np.int64)


@pytest.mark.parametrize(
    "damage",
    [
        {"zlib": "abcd"},
        {"images": 99},
        {"images": 1},
        {"zlib": "not base64"},
        {"zlib": Matrices.pack(ONES).zlib[:-8]},
        {"zlib": dense(ONES)["zlib"][:-8]},
        {"classes": 2},
        {"cells": 17},
        {"cells": 10**12},
    ],
)
@pytest.mark.parametrize("written", [Matrices.pack(ONES).model_dump(), dense(ONES)])
def test_matrices_that_cannot_be_unpacked_are_an_error_that_names_the_record(
    tmp_path, damage, written
):
    path = write_record(tmp_path, record())
    content = json.loads(path.read_text())
    content.pop("checksum")
    content["confusion"] = written | damage
    path.write_text(json.dumps(content | {"checksum": _checksum(content)}))
    with pytest.raises(HostError, match=f"{path.name}.*confusion: its matrices are damaged"):
        read_record(path)


@pytest.mark.parametrize("damage", [{"classes": 0}, {"classes": 257}, {"images": -1}])
def test_numbers_of_images_and_classes_that_cannot_be_are_named(damage):
    with pytest.raises(ValueError, match=next(iter(damage))):
        Matrices.model_validate(dense(ONES) | damage)


def test_the_commit_is_that_of_this_checkout_also_inside_a_hook_of_another(tmp_path, monkeypatch):
    here = Host.here().commit
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other.git"))
    assert Host.here().commit == here
