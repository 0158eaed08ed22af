"""Time and peak memory of scoring a large split, and of writing, reading and reducing its record.

    python benchmarks/split_memory.py [--images 24502] [--classes 124] [--height 36] [--width 64]

The default is the size of VSPW: videos of 71 frames with ten classes each. The network is simulated
by logits at a quarter of the size, with errors in some regions, along edges and in specks. All
later steps are as in a sweep. Images are small, because only a few are in memory at a time. Each
step runs in a separate process, and its peak includes imports.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.catalog import read_conditions, read_system
from msaf_bench.data.clips import Clip
from msaf_bench.host import Host
from msaf_bench.ports import Answer
from msaf_bench.records import Matrices, Record, read_record, write_record
from msaf_bench.spec import Trial

FRAMES, PRESENT, REGIONS = 71, 10, 24  #: frames, classes and regions per video
SPECKS = 8  #: cells of the logits per image with a random predicted class
CONDITIONS = read_conditions("smoke", "street", {"flow": "dis"})
TRIAL = Trial(system=read_system("msaf-r18"), conditions=CONDITIONS, seed=0)


class Video(NamedTuple):
    """Panorama seen by a moving camera."""

    regions: NDArray[np.int64]  #: (H, W + frames): region of each pixel
    truth: NDArray[np.uint8]  #: class of each region
    said: NDArray[np.int64]  #: predicted class of each region


class Split:
    """Simulated videos as `Clips`, with a simulated `Reader`."""

    repeated, skipped, unlabelled, fingerprint = 0, 0, 0, "simulated"

    def __init__(self, images: int, classes: int, size: tuple[int, int]) -> None:
        self.images, self.size = images, size
        self.classes = tuple(map(str, range(classes)))
        self.colours = ((0, 0, 0),) * classes
        self.pairs = tuple((i, i + 1) for i in range(images - 1) if (i + 1) % FRAMES)
        self.videos = tuple(str(i // FRAMES) for i in range(images))
        self.video = lru_cache(2)(self._video)

    def _video(self, number: int) -> Video:
        rng, (height, width) = np.random.default_rng(number), self.size
        common = 1 / np.arange(1, len(self.classes) + 1)
        share = common / common.sum()
        present = rng.choice(len(share), PRESENT, replace=False, p=share)
        middles = rng.integers(0, (height, width + FRAMES), (REGIONS, 2))
        pixels = np.mgrid[:height, : width + FRAMES].reshape(2, -1, 1)
        away = ((pixels - middles.T[:, None]) ** 2).sum(0)
        truth = present[rng.integers(0, PRESENT, REGIONS)]
        other = rng.choice(len(share), REGIONS, p=share)
        said = np.where(rng.random(REGIONS) < 0.2, other, truth)
        return Video(away.argmin(1).reshape(height, -1), truth.astype(np.uint8), said)

    def regions(self, index: int) -> tuple[NDArray[np.int64], Video]:
        """Return the regions of a frame and its video."""
        video, frame = self.video(index // FRAMES), index % FRAMES
        return video.regions[:, frame : frame + self.size[1]], video

    def __len__(self) -> int:
        return self.images

    def __getitem__(self, index: int) -> Clip:
        shown, video = self.regions(index)
        return Clip(np.zeros((1, 1, 1, 3), np.uint8), video.truth[shown], str(index))

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Return an image of grey regions."""
        return np.repeat((37 * self.regions(index)[0] % 256).astype(np.uint8)[..., None], 3, -1)

    def read(self, chunks: Sequence[Sequence[int]], still: bool) -> Generator[Answer]:
        """Yield the logits and label maps of clips, like a `Reader`."""
        for indices in chunks:
            yield Answer(self.logits(indices, still), [self[i].label for i in indices])

    def logits(self, indices: Sequence[int], still: bool) -> Any:
        """Return logits at a quarter of the size, with a larger shift if `still`."""
        import torch

        maps = list[NDArray[np.int64]]()
        for index in indices:
            shown, video = self.regions(index)
            rng, off = np.random.default_rng(index), index % 3 + (2 if still else 0)
            coarse = video.said[np.roll(shown, off, 1)[2::4, 2::4]]
            specks = rng.integers(0, coarse.size, SPECKS)
            coarse.ravel()[specks] = rng.permutation(len(self.classes))[:SPECKS]
            maps.append(coarse)
        one_hot = torch.nn.functional.one_hot(torch.from_numpy(np.stack(maps)), len(self.classes))
        return one_hot.permute(0, 3, 1, 2).float()


def scored(folder: Path, given: argparse.Namespace) -> None:
    """Score the split and write its record."""
    from msaf_bench.analyzers.split_scoring import score_split
    from msaf_bench.sweep.evaluation import recorded

    presets = tuple(given.presets.split(","))
    conditions = CONDITIONS.model_copy(update={"consistency": presets})
    clips: Any = Split(given.images, given.classes, (given.height, given.width))
    net: Any = SimpleNamespace(frames=2, eval=lambda: None)
    counts = score_split(net, clips, conditions, clips.read)
    report("score")
    assert counts.still is not None
    record = Record(
        trial=TRIAL,
        state="done",
        host=Host.here(),
        data="simulated",
        class_names=clips.classes,
        confusion=Matrices.pack(counts.confusion),
        still=Matrices.pack(counts.still),
        consistency=tuple(recorded(each, conditions.flow) for each in counts.consistency),
    )
    path = write_record(folder, record)
    report(f"pack and write, {path.stat().st_size / 1e6:.1f} MB")
    cells = {"confusion": record.confusion, "still": record.still}
    cells |= {each.preset: each.matrices for each in record.consistency}
    for name, packed in cells.items():
        if packed:
            filled = (packed.cells or 0) / packed.images
            print(f"    {name}: {filled:.0f} cells per image, {len(packed.zlib) / 1e6:.1f} MB")


def read(folder: Path, given: argparse.Namespace) -> None:
    """Read the record."""
    read_record(folder / f"{TRIAL.id}.json")
    report("read")


def reduced(folder: Path, given: argparse.Namespace) -> None:
    """Reduce the record as findings do, and bootstrap its images."""
    from msaf_bench.findings.trials import read_results
    from msaf_bench.stats.bootstrap import image_interval

    (result,) = read_results(folder).values()
    report(f"read and reduce, mIoU {result.miou:.2f}")
    assert result.areas is not None
    found = image_interval([result.areas])
    report(f"interval for other images, {found.low:.2f} to {found.high:.2f}")


STEPS: dict[str, Callable[[Path, argparse.Namespace], None]] = {
    "score": scored,
    "read": read,
    "reduce": reduced,
}
begun = time.perf_counter()


def report(what: str) -> None:
    """Print the seconds since the last call and the peak memory so far."""
    global begun  # noqa: PLW0603
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    now = time.perf_counter()
    print(f"{what}: {now - begun:.1f} s, {peak:.0f} MiB", flush=True)
    begun = now


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=24_502)
    parser.add_argument("--classes", type=int, default=124)
    parser.add_argument("--height", type=int, default=36)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--presets", default="clean,vc8")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        STEPS[given.step](given.folder, given)
        return
    with tempfile.TemporaryDirectory() as folder:
        for step in STEPS:
            command = [sys.executable, *sys.argv, "--step", step, "--folder", folder]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
