"""Comparison of two latencies, and growth of latency with image size. No torch import here."""

from collections.abc import Sequence
from itertools import pairwise
from math import exp, log, prod
from typing import Literal, NamedTuple

from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.stats.growth import exponent
from msaf_bench.stats.intervals import mean_interval

NOISE_FLOOR = 0.01  #: smallest relative difference that tells two systems apart
UNRANKED = ("other output", "unstable")  #: flags that exclude a latency from rankings
PAPER_FPS = {(512, 1024): 24.39, (768, 1536): 13.54, (1024, 2048): 8.76}
"""FPS printed in the paper for MSAF with ResNet-18, by input size (H, W).

Source: Su et al. 2023, Table 1; the device is not named.
"""


class Comparison(NamedTuple):
    """Comparison of two systems timed in the same processes."""

    ratio: float  #: mean latency of the second / mean latency of the first
    #: 95 % interval, Student t over the log ratios per process; None for one process
    low: float | None
    high: float | None
    verdict: Literal["faster", "slower", "not told apart"]  #: verdict on the first system
    reason: str = ""  #: why they are not told apart


class Scaling(NamedTuple):
    """Latency ~ pixels^exponent."""

    exponent: float | None  #: least-squares fit of the logarithms; None for fewer than two sizes
    piecewise: tuple[float, ...]  #: exponents between neighbouring sizes


def compare(first: Speed, second: Speed) -> Comparison | None:
    """Compare the mean latencies of two systems over their common processes.

    None if one of them was not timed.
    """
    if not (first.latency and second.latency):
        return None
    found = mean_interval(
        [log(b.mean_ms / a.mean_ms) for a, b in zip(first.processes, second.processes, strict=True)]
    )
    ratio = exp(found.mean)
    if found.low is None or found.high is None:
        return Comparison(ratio, None, None, "not told apart", "an interval needs two processes")
    low, high = exp(found.low), exp(found.high)
    if against := [word for word in UNRANKED if word in dict(first.flags) | dict(second.flags)]:
        return Comparison(ratio, low, high, "not told apart", against[0])
    if low > 1 + NOISE_FLOOR:
        return Comparison(ratio, low, high, "faster")
    if high < 1 / (1 + NOISE_FLOOR):
        return Comparison(ratio, low, high, "slower")
    return Comparison(
        ratio,
        low,
        high,
        "not told apart",
        f"the interval overlaps the noise floor of {100 * NOISE_FLOOR:g} %",
    )


def scaling(latencies: Sequence[tuple[tuple[int, int], float]]) -> Scaling:
    """Fit the exponent of latency over pixels to pairs ((H, W), ms)."""
    ordered = sorted((prod(size), ms) for size, ms in latencies)
    pieces = [exponent([n for n, _ in pair], [ms for _, ms in pair]) for pair in pairwise(ordered)]
    return Scaling(
        exponent([n for n, _ in ordered], [ms for _, ms in ordered]),
        tuple(p for p in pieces if p is not None),
    )


def paper_scaling() -> Scaling:
    """Fit the exponent of the paper's three numbers: 0.74 in all, 0.73 and 0.76 piecewise."""
    return scaling([(size, 1000 / fps) for size, fps in PAPER_FPS.items()])
