"""Cost of the loader at the size of Cityscapes.

    python benchmarks/loader.py [--clips 4] [--batches 4] [--network 0.6]

Measures the CPU seconds per training batch of `paper` by part, with and without the cache, and the
wall time of scoring with decoding ahead of the network. Frames are smooth noise of 1024x2048, with
PNGs of about 2.3 MB as in Cityscapes. The network in scoring sleeps, as a CPU does while a GPU
computes. Everything runs in one process.
"""

import argparse
import resource
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from msaf_bench.analyzers.scoring import reader
from msaf_bench.catalog import read_conditions
from msaf_bench.data import open_split, transforms
from msaf_bench.data.cache import Cache
from msaf_bench.data.clips import Clip
from msaf_bench.data.transforms import augment, normalise, stacked
from msaf_bench.spec import Conditions
from msaf_bench.train.batches import batches

SIZE, FRAMES = (1024, 2048), 3
GRAIN = 0.9  #: standard deviation of the noise, chosen for the PNG size of a real frame
TABLE = "{:<58}{:>9}"


def make_tree(root: Path, clips: int) -> list[int]:
    """Write labelled frames with two past frames for both splits; return the sizes of the PNGs."""
    rng, sizes = np.random.default_rng(0), []
    for part, city in (("train", "aachen"), ("val", "lindau")):
        for clip in range(clips):
            video = f"{city}_{clip:06d}"
            for frame in range(20 - FRAMES, 20):
                name = f"{city}/{video}_{frame:06d}_leftImg8bit.png"
                path = root / "leftImg8bit_sequence" / part / name
                save(path, picture(rng))
                sizes.append(path.stat().st_size)
            ids = rng.choice((7, 11, 21, 23, 26), (32, 64)).astype(np.uint8)
            label = cv2.resize(ids, SIZE[::-1], interpolation=cv2.INTER_NEAREST)
            save(root / f"gtFine/{part}/{city}/{video}_000019_gtFine_labelIds.png", label)
    return sizes


def picture(rng: np.random.Generator) -> NDArray[np.uint8]:
    total = np.zeros((*SIZE, 3), np.float32)
    for side in (8, 32, 128):
        coarse = rng.random((SIZE[0] // side, SIZE[1] // side, 3), np.float32)
        total += side * cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    total *= 220 / total.max()
    total += GRAIN * rng.standard_normal(total.shape, np.float32)
    return total.clip(0, 255).astype(np.uint8)


def save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


def cpu_seconds(work: Callable[[int], object], repeats: int) -> float:
    """Return the mean CPU time per call, over all threads of this process.

    `work` is called with 0, 1, ..., `repeats` - 1.
    """
    begin = time.process_time()
    for index in range(repeats):
        work(index)
    return (time.process_time() - begin) / repeats


def train_parts(conditions: Conditions, root: Path, cache: Cache, repeats: int) -> None:
    """Print the CPU seconds per batch by part."""
    plain = open_split(conditions, "train", root)
    kept = open_split(conditions, "train", root, cache=cache)
    clips, batch = [plain[i] for i in range(len(plain))], conditions.batch

    def augmented(draw: int) -> Clip:
        clip = clips[draw % len(clips)]
        return augment(clip, conditions, np.random.default_rng(draw))

    draws = 8 * repeats
    with patch.object(transforms, "_resized_part", transforms._part_of_resized):
        resize_whole = batch * cpu_seconds(augmented, draws)
    frames = [augmented(draw).frames for draw in range(batch)]
    eight_bits = stacked(frames)
    seconds = {
        "decode": batch * cpu_seconds(lambda i: plain[i], len(plain)),
        "decode and write to the cache": batch * cpu_seconds(lambda i: kept[i], len(kept)),
        "read from the cache": batch * cpu_seconds(lambda i: kept[i % len(kept)], draws),
        "resize whole frames, crop": resize_whole,
        "resize the crop": batch * cpu_seconds(augmented, draws),
        "stack 8 bits": cpu_seconds(lambda _: stacked(frames), repeats),
        "normalise on the CPU": cpu_seconds(lambda _: normalise(eight_bits), repeats),
    }
    print(f"\na batch of {batch} clips, CPU seconds")
    for name, value in seconds.items():
        print(TABLE.format(name, f"{value:.3f}"))
    shared = seconds["resize the crop"] + seconds["stack 8 bits"]
    before = resize_whole + seconds["stack 8 bits"] + seconds["normalise on the CPU"]
    for name, value in {
        "before: decode, resize whole frames, normalise": seconds["decode"] + before,
        "now, for a GPU, first epoch": seconds["decode and write to the cache"] + shared,
        "now, for a GPU, from the cache": seconds["read from the cache"] + shared,
    }.items():
        print(TABLE.format(name, f"{value:.3f}"))


def train_threads(conditions: Conditions, root: Path, cache: Cache | None, count: int) -> None:
    """Print the wall time per batch with one and two loader threads."""
    clips = open_split(conditions, "train", root, cache=cache)
    few = conditions.model_copy(update={"steps": count})
    walls = {}
    for threads in (1, 2, 1, 2):
        begin, cpu = time.perf_counter(), time.process_time()
        # Normalisation is left out, as it runs on the GPU.
        eight_bits = patch("msaf_bench.train.batches.to_tensors", lambda *made: made[:2])
        with eight_bits, batches(clips, few, 0, threads=threads) as made:
            deque(made, maxlen=0)
        wall = (time.perf_counter() - begin) / count
        walls.setdefault(threads, []).append((wall, (time.process_time() - cpu) / count))
    how = "from the cache" if cache else "decoded"
    for threads, found in walls.items():
        wall, cpu = min(found)
        print(
            TABLE.format(
                f"{threads} loader threads, {how}: wall s ({cpu:.2f} CPU s)", f"{wall:.3f}"
            )
        )


def scoring(conditions: Conditions, root: Path, cache: Cache, seconds: float) -> None:
    """Print the wall time of a pass over the scored split with a network that sleeps."""
    plain = open_split(conditions, "score", root)
    kept = open_split(conditions, "score", root, cache=cache)
    indices = [i % len(plain) for i in range(4 * len(plain))]
    chunks = [indices[first : first + 4] for first in range(0, len(indices), 4)]

    def net(frames: torch.Tensor) -> SimpleNamespace:
        time.sleep(seconds)
        return SimpleNamespace(logits=None)

    alone = seconds * len(chunks)
    print(f"\nscoring of {len(indices)} clips, wall seconds; the network alone {alone:.2f}")
    eight_bits = patch("msaf_bench.analyzers.scoring.normalise", lambda frames: frames)
    for how, clips, threads in (
        ("decoded", plain, 0),
        ("decoded", plain, 1),
        ("decoded", plain, 2),
        ("first pass with a cache", kept, 2),
        ("from the cache", kept, 0),
        ("from the cache", kept, 1),
    ):
        begin = time.perf_counter()
        with eight_bits, closing(reader(net, clips, threads=threads)(chunks, False)) as answers:
            deque(answers, maxlen=0)
        wall = time.perf_counter() - begin
        name = f"{threads} loader threads, {how} ({wall / alone:.2f} of the network)"
        print(TABLE.format(name, f"{wall:.2f}"))


def main() -> None:
    """Print all measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=4, help="clips per split on disk")
    parser.add_argument("--batches", type=int, default=4, help="timed batches per measurement")
    parser.add_argument(
        "--network", type=float, default=0.6, help="time of the network for four clips, in seconds"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    conditions = read_conditions("paper", "cityscapes", {"data_options": {"allow_partial": True}})
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder, "data"), Cache(Path(folder, "cache"), 2**40)
        sizes = make_tree(root, given.clips)
        print(f"{len(sizes)} frames of {statistics.mean(sizes) / 1e6:.2f} MB")
        train_parts(conditions, root, cache, given.batches)
        print()
        train_threads(conditions, root, None, given.batches)
        train_threads(conditions, root, cache, given.batches)
        scoring(conditions, root, cache, given.network)
        entries = [path.stat().st_size for path in cache.folder.glob("*.pixels")]
        print(f"\ncache: {len(entries)} entries, {sum(entries) / 2**20:.0f} MiB on disk")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak of this process {peak:.0f} MiB")


if __name__ == "__main__":
    main()
