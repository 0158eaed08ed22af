"""Time of the paired bootstrap of mIoU for one seed and five seeds, on random areas.

python benchmarks/bootstrap.py [IMAGES [CLASSES [RESAMPLES]]]
"""

import statistics
import sys
import time

import numpy as np

from msaf_bench.stats import Areas, image_difference

RUNS = 7


def areas(rng: np.random.Generator, images: int, classes: int) -> Areas:
    truth = rng.integers(1, 20_000, (images, classes)) * (rng.random((images, classes)) < 0.6)
    return Areas((truth * rng.uniform(0.4, 0.95, truth.shape)).astype(np.int64), truth)


def main() -> None:
    images, classes, resamples = sizes()
    rng = np.random.default_rng(0)
    for seeds in (1, 5):
        a, b = ({seed: areas(rng, images, classes) for seed in range(seeds)} for _ in range(2))
        times = []
        for _ in range(RUNS):
            begin = time.perf_counter()
            image_difference(a, b, resamples=resamples)
            times.append(time.perf_counter() - begin)
        print(
            f"{resamples:,} resamples of {images} images, {classes} classes, 2 networks, {seeds}"
            f" seed{'s' * (seeds > 1)}: median {statistics.median(times):.3f} s, slowest"
            f" {max(times):.3f} s"
        )


def sizes() -> list[int]:
    return [*map(int, sys.argv[1:]), *(500, 19, 10_000)[len(sys.argv) - 1 :]]


if __name__ == "__main__":
    main()
