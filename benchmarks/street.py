"""Throughput of the street scene on one thread, with labels, flow and occlusion.

python benchmarks/street.py [HxW]
"""

import statistics
import sys
import time

import cv2

from msaf_bench.data.street import make_video

FRAMES, VIDEOS = 8, 40


def main() -> None:
    cv2.setNumThreads(1)
    height, width = (int(n) for n in (sys.argv[1] if len(sys.argv) > 1 else "64x128").split("x"))
    make_video(0, FRAMES, (height, width))
    times = []
    for seed in range(VIDEOS):
        begin = time.perf_counter()
        make_video(seed, FRAMES, (height, width))
        times.append(time.perf_counter() - begin)
    print(
        f"{height}x{width}: median {FRAMES / statistics.median(times):.0f} frames/s, slowest video"
        f" {FRAMES / max(times):.0f}"
    )


if __name__ == "__main__":
    main()
