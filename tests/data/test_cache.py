"""The cache of decoded frames: what it keeps, its bound, and what damage and other processes do."""

import json
import os
import pickle
import shutil
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import cv2
import numpy as np
import pytest
from forked import FORKS

from msaf_bench.cli import main
from msaf_bench.data import cache as module
from msaf_bench.data import open_split
from msaf_bench.data.cache import Cache, Kept, keep_in
from msaf_bench.data.readers import videos
from msaf_bench.errors import HostError
from msaf_bench.records import read_records

ENTRY = 32 + 6 * 8 * 3  # bytes


def picture(seed=0):
    rng = np.random.default_rng(seed)
    return Kept(rng.integers(0, 256, (6, 8, 3), np.uint8), (12, 16))


def never():
    raise AssertionError("made again")


def same(one, other):
    np.testing.assert_array_equal(one.pixels, other.pixels)
    return one.size == other.size


def entries(folder):
    return sorted(folder.glob("*.pixels"))


@pytest.mark.parametrize("shape", [(6, 8, 3), (6, 8), (1, 1)])
def test_what_was_made_comes_back(tmp_path, shape):
    made = Kept(np.random.default_rng(0).integers(0, 256, shape, np.uint8), (1024, 2048))
    keep = keep_in(Cache(tmp_path / "deep" / "cache", 10**6))
    assert same(keep("a", lambda: made), made)
    assert same(keep("a", never), made)
    assert same(keep_in(Cache(tmp_path / "deep" / "cache", 10**6))("a", never), made)
    assert same(keep("b", lambda: picture(1)), picture(1))


def test_the_bound_is_kept_and_what_comes_later_is_made_each_time(tmp_path):
    keep = keep_in(Cache(tmp_path, 3 * ENTRY + 1))
    for seed in range(6):
        keep(str(seed), partial(picture, seed))
    assert [path.stat().st_size for path in entries(tmp_path)] == [ENTRY] * 3
    again = keep_in(Cache(tmp_path, 4 * ENTRY))
    for seed in range(6):
        assert same(again(str(seed), partial(picture, seed)), picture(seed))
    assert len(entries(tmp_path)) == 4
    for seed in range(4):
        again(str(seed), never)


def test_a_bound_below_what_is_there_keeps_it_and_adds_nothing(tmp_path):
    keep_in(Cache(tmp_path, 10 * ENTRY))("a", picture)
    small = keep_in(Cache(tmp_path, 1))
    small("a", never)
    small("b", picture)
    assert len(entries(tmp_path)) == 1


def test_the_disk_is_never_filled(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage(module.SPARED + ENTRY - 1))
    keep = keep_in(Cache(tmp_path, 10**9))
    assert same(keep("a", picture), picture())
    assert not entries(tmp_path)


@pytest.mark.parametrize(
    "damage", ["cut", "empty", "a bit", "another size", "head alone", "longer"]
)
def test_a_damaged_entry_is_made_again(tmp_path, damage):
    keep = keep_in(Cache(tmp_path, 10**6))
    keep("a", picture)
    (path,) = entries(tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "a bit":
        content[70] ^= 1
    elif damage == "another size":  # the same number of pixels
        content[12], content[16] = content[16], content[12]
    path.write_bytes(
        {
            "cut": content[:-1],
            "empty": b"",
            "head alone": content[:32],
            "longer": content + b"x",
        }.get(damage, content)
    )
    assert same(keep("a", partial(picture, 5)), picture(5))
    assert same(keep("a", never), picture(5))
    keep_in(Cache(tmp_path, 10**6))
    assert int((tmp_path / "total").read_text()) == ENTRY


def test_files_that_killed_processes_left_are_removed(tmp_path):
    gone = FORKS.Process(target=int)
    gone.start()
    gone.join()
    part = tmp_path / f".msaf-bench-{gone.pid}-ab.part"
    part.write_bytes(b"half")
    keep_in(Cache(tmp_path, 10**6))
    assert not part.exists()


def test_a_folder_that_goes_away_or_cannot_be_made_ends_no_training(tmp_path):
    keep = keep_in(Cache(tmp_path / "cache", 10**6))
    shutil.rmtree(tmp_path / "cache")
    assert same(keep("a", picture), picture())
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match=r"cannot write .*file.*; choose .*--cache-folder, or .*0"):
        keep_in(Cache(tmp_path / "file" / "cache", 10**6))


def test_threads_keep_the_bound_and_write_an_entry_once(tmp_path):
    keep = keep_in(Cache(tmp_path, 10 * ENTRY))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: keep(str(i % 20), partial(picture, i % 20)), range(200)))
    assert all(same(kept, picture(i % 20)) for i, kept in enumerate(found))
    assert len(entries(tmp_path)) == 10
    assert int((tmp_path / "total").read_text()) == 10 * ENTRY


def fill(folder, go):
    """What one of several processes does: entries that the others make too."""
    keep = keep_in(Cache(folder, 30 * ENTRY))
    go.wait()
    for seed in range(60):
        if not same(keep(str(seed), partial(picture, seed)), picture(seed)):
            os._exit(3)


@pytest.mark.slow
def test_processes_share_entries_and_the_bound(tmp_path):
    go = FORKS.Barrier(3)
    processes = [FORKS.Process(target=fill, args=(tmp_path, go)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(entries(tmp_path)) == 30
    assert int((tmp_path / "total").read_text()) == 30 * ENTRY
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("zipped", [False, True])
def test_clips_of_files_are_decoded_once_and_stay_the_same(
    tmp_path, cityscapes, conditions, pack_cityscapes, monkeypatch, zipped
):
    root = pack_cityscapes(cityscapes) if zipped else cityscapes
    cache = Cache(tmp_path / "cache", 10**6)
    for split in ("train", "score"):
        plain = open_split(conditions("cityscapes"), split, root)
        kept = open_split(conditions("cityscapes"), split, root, cache=cache)
        first = [kept[i] for i in range(len(kept))]
        with monkeypatch.context() as patched:
            for name in ("read_picture", "read_label", "resized"):
                patched.setattr(videos, name, lambda *_: never())
            again = pickle.loads(pickle.dumps(kept))
            second = [again[i] for i in range(len(kept))]
        for i, clips in enumerate(zip(first, second, strict=True)):
            for clip in clips:
                np.testing.assert_array_equal(clip.frames, plain[i].frames)
                np.testing.assert_array_equal(clip.label, plain[i].label)
                assert clip.name == plain[i].name


def test_a_file_that_has_changed_is_decoded_again(tmp_path, cityscapes, conditions):
    kept = open_split(conditions("cityscapes"), "score", cityscapes, cache=Cache(tmp_path, 10**6))
    before = kept[0].frames
    path = kept._clips[0][0].path
    cv2.imwrite(str(path), cv2.imread(str(path)) + np.uint8(9))
    np.testing.assert_array_equal(kept[0].frames[0], before[0] + np.uint8(9))
    np.testing.assert_array_equal(kept[0].frames[1:], before[1:])
    small = conditions("cityscapes", size=(4, 8))
    shrunk = open_split(small, "score", cityscapes, cache=Cache(tmp_path, 10**6))
    assert shrunk[0].frames.shape == (3, 4, 8, 3)


@pytest.mark.slow
def test_a_training_is_the_same_with_cache_and_loader_threads(tmp_path, cityscapes, capsys):
    train = [
        "train", "msaf-r18", "--data", "cityscapes", "--root", str(cityscapes), "--preset", "smoke",
        "--set", "data_options.allow_partial=true", "--set", "crop=[24,40]", "--set",
        "scale=[0.5,2.0]", "--json",
    ]  # fmt: skip
    said = {}
    for name, options in {
        "plain": ["--cache", "0"],
        "threads": ["--loader-threads", "3"],
        "kept": ["--cache-folder", str(tmp_path / "cache")],
        "found": ["--cache-folder", str(tmp_path / "cache"), "--loader-threads", "1"],
    }.items():
        assert main([*train, *options, "--reports", str(tmp_path / name)]) == 0
        document = json.loads(capsys.readouterr().out)
        said[name] = {key: value for key, value in document.items() if key != "checkpoint"}
        assert not (tmp_path / name / ".msaf-bench-frames").exists()
    assert said["threads"] == said["kept"] == said["found"] == said["plain"]
    assert len(entries(tmp_path / "cache")) == 3 * 4 + 4
    losses = [next(iter(read_records(tmp_path / name / "records").values())).loss for name in said]
    assert losses == losses[:1] * 4
