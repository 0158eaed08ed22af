"""Time and memory of temporal consistency per pair, and scores of a perfect predictor by preset.

python benchmarks/consistency.py [HxW]
"""

import statistics
import sys
import time
import tracemalloc

import cv2
import numpy as np

from msaf_bench.analyzers.consistency.ewarp import label_error
from msaf_bench.analyzers.consistency.flows import across_edges
from msaf_bench.analyzers.consistency.matrices import pulled_back
from msaf_bench.analyzers.consistency.scores import PRESETS, consistency
from msaf_bench.analyzers.consistency.warping import Warp
from msaf_bench.data.flow import FlowField
from msaf_bench.data.flow.estimators import estimate
from msaf_bench.data.street import make_video

CLASSES, REPEATS = 19, 7
VIDEOS, FRAMES = range(1, 12, 2), 10


def scene(height: int, width: int) -> tuple[np.ndarray, np.ndarray, FlowField]:
    """Return two label maps with regions of all sizes, and smooth flow with occlusion."""
    rng = np.random.default_rng(0)
    maps = []
    for _ in range(2):
        logits = cv2.resize(
            rng.normal(size=(height // 24, width // 24, CLASSES)).astype(np.float32),
            (width, height),
        )
        maps.append(logits.argmax(-1).astype(np.uint8))
    flow = cv2.resize(
        rng.normal(0, 8, (height // 128 + 2, width // 128 + 2, 2)).astype(np.float32),
        (width, height),
    )
    return maps[0], maps[1], FlowField(flow, -flow)


def one_hot(later: np.ndarray, motion: Warp) -> np.ndarray:
    """Warp K one-hot planes bilinearly and take the argmax."""
    votes = np.zeros((CLASSES, *later.shape), np.float32)
    places = motion.everywhere
    for label, plane in enumerate(votes):
        plane[:] = (
            ((later.ravel()[places.pixel] == label) * places.weight).sum(0).reshape(later.shape)
        )
    return votes.argmax(0).astype(np.uint8)


def opencv_one_hot(later: np.ndarray, motion: Warp) -> np.ndarray:
    """Warp K one-hot planes with cv2.remap and take the argmax.

    Before OpenCV 5, cv2.remap rounds positions to 1/32 of a pixel.
    """
    planes = [
        cv2.remap(
            (later == k).astype(np.float32),
            motion.x,
            motion.y,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for k in range(CLASSES)
    ]
    return np.argmax(planes, 0).astype(np.uint8)


def measured(call) -> str:
    call()
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - begin))
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return (
        f"median {statistics.median(times):6.0f} ms  (least {min(times):.0f}, most"
        f" {max(times):.0f})   peak {peak:6.0f} MiB"
    )


def speed(height: int, width: int) -> None:
    earlier, later, flow = scene(height, width)
    print(f"one pair of {height}x{width}, {CLASSES} classes, flow given, derived masks included")
    for name, preset in PRESETS.items():
        if not preset.window:
            kernel = preset.matrix or label_error
            print(
                f"  {name:<12}{measured(lambda k=kernel: k(earlier, later, Warp(flow), CLASSES))}"
            )
    motion = Warp(flow)
    print("only the warp of the labels, as 19 one-hot planes with argmax")
    for way in (pulled_back, one_hot, opencv_one_hot):
        print(f"  {way.__name__:<16}{measured(lambda w=way: w(later, motion))}")
    inside = ~motion.outside
    fast = pulled_back(later, motion)
    for way in (one_hot, opencv_one_hot):
        print(
            f"  pixels in the frame that differ from {way.__name__}:"
            f" {(way(later, motion) != fast)[inside].sum()} of {inside.sum()}"
        )


def perfect(size: tuple[int, int]) -> None:
    """Print the scores of a perfect predictor on street by flow and preset.

    Every class occurs in the videos, so etc2020, which counts absent classes as 0, is not affected.
    """
    videos = [make_video(seed, FRAMES, size) for seed in VIDEOS]
    labels, images = (
        np.concatenate([getattr(video, part) for video in videos]) for part in ("labels", "images")
    )
    pairs = [(i, i + 1) for i in range(len(labels)) if (i + 1) % FRAMES]

    def exact(pair: tuple[int, int]) -> FlowField:
        video, t = videos[pair[0] // FRAMES], pair[0] % FRAMES
        flow = FlowField(
            video.flow_forward[t], video.flow_backward[t + 1], video.occluded_forward[t]
        )
        return flow._replace(
            occluded=flow.occluded | across_edges(video.labels[t], video.labels[t + 1], Warp(flow))
        )

    def unmasked(pair: tuple[int, int]) -> FlowField:
        video, t = videos[pair[0] // FRAMES], pair[0] % FRAMES
        return FlowField(
            video.flow_forward[t], video.flow_backward[t + 1], video.occluded_forward[t]
        )

    flows = {
        "exact": exact,
        "exact, edges kept": unmasked,
        "exact, Lai's mask": lambda pair: unmasked(pair)._replace(occluded=None),
        **{
            kind: lambda pair, k=kind: estimate(k, images[pair[0]], images[pair[1]])
            for kind in ("dis", "farneback", "zero")
        },
    }
    names = [name for name in PRESETS if not PRESETS[name].window]
    print(
        f"a perfect predictor on street, {len(videos)} videos of {FRAMES} frames,"
        f" {size[0]}x{size[1]}"
    )
    print(f"  {'flow':<20}" + "".join(f"{name:>12}" for name in names) + f"{'votes':>10}")
    for kind, flow in flows.items():
        found = consistency(labels, None, pairs, flow, names, 11)
        print(
            f"  {kind:<20}"
            + "".join(f"{each.value:>12.5g}" for each in found)
            + f"{found[0].votes:>8.1f} %"
        )


def main() -> None:
    height, width = (int(n) for n in (sys.argv[1] if len(sys.argv) > 1 else "1024x2048").split("x"))
    speed(height, width)
    for size in ((64, 128), (256, 512)):
        perfect(size)


if __name__ == "__main__":
    main()
