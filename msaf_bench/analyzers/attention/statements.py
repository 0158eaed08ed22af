"""Statements of section 3.3 about its own formulas, each with a verdict computed in integers.

n is the number of pixels per frame.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from msaf_bench.analyzers.attention.complexity import (
    CROSSOVER,
    FRAMES,
    TAPS,
    Grid,
    d_transformer_macs,
    relations,
)

#: values of n at which a verdict is checked; four values determine a polynomial of degree 3
RANGE = range(1, 1001)
F5_CHANNELS = 2048  #: output channels of ResNet-50 and ResNet-101


class Statement(NamedTuple):
    """One statement of the paper, whether it holds, and the finding."""

    place: str
    statement: str
    holds: bool
    finding: str

    def document(self) -> dict[str, str]:
        """Return the statement and its verdict for JSON."""
        return {
            "place": self.place,
            "statement": self.statement,
            "verdict": "true" if self.holds else "false",
            "finding": self.finding,
        }


def statements() -> list[Statement]:
    """Return all statements about cost, in the paper's order."""
    return [
        check()
        for check in (_pixels, _joint, _alignment, _sum, _crossover, _monotonous, _linear, _limit)
    ]


def _pixels() -> Statement:
    grid = Grid(97, 97)
    values = F5_CHANNELS * grid.pixels
    found = (
        f"C H W counts values: {values:,} for C = {F5_CHANNELS:,} at {grid}, where there are"
        f" {grid.pixels:,} pixels; n = H W is used here"
    )
    return Statement(
        "below Eq. 1", "n = C x H x W is the number of pixels", values == grid.pixels, found
    )


def _joint() -> Statement:
    # Count the pairs one by one, on maps small enough for that.
    counted = {n: sum(1 for _ in range(FRAMES * n) for _ in range(FRAMES * n)) for n in range(1, 7)}
    agree = [n for n, count in counted.items() if relations(n).transformer == count]
    found = (
        "3n tokens have (3n)^2 = 9n^2 pairs, which is 3n^3 only at n ="
        f" {', '.join(map(str, agree))}; the ratio of (ii) is below 3"
    )
    return Statement("Eq. 1", "joint attention costs 3n^3", len(agree) == len(counted), found)


def _alignment() -> Statement:
    grid, width = Grid(4, 4), 64
    macs = Fraction(d_transformer_macs(grid, width)["dcn"], FRAMES - 1)
    charged = TAPS * grid.pixels
    found = f"its product takes 9n d^2 MAC at width d: {macs / charged} times 9n at d = {width}"
    return Statement("Eq. 7", "a deformable convolution costs K^2 n = 9n", macs == charged, found)


def _sum() -> Statement:
    holds = all(
        relations(n).att == 2 * 3 * n + 2 * 9 * n == 24 * n
        and relations(n).d_transformer == 3 * n**2 + 24 * n
        for n in RANGE
    )
    return Statement(
        "Eqs. 7, 8",
        "2 3n + 2 9n = 24n, in all 3n^2 + 24n",
        holds,
        f"the arithmetic is right, n = {RANGE[0]} to {RANGE[-1]:,}",
    )


def _crossover() -> Statement:
    # With r = sqrt(33): ((1 + r)/2)^2 - (1 + r)/2 = (r^2 - 1)/4 = (33 - 1)/4, an exact fraction.
    root = Fraction(33 - 1, 4) == 8 and all(
        _difference(n) == 3 * n * (n * n - n - 8) for n in RANGE
    )
    signs = [n for n in RANGE if _difference(n) > 0]
    above = signs[0] if signs else RANGE[-1]
    below = above - 1
    holds = (
        root
        and signs == list(range(above, RANGE[-1] + 1))
        and (2 * below - 1) ** 2 < 33 < (2 * above - 1) ** 2
    )
    values = (
        f"{_difference(below)} at n = {below}, {_difference(above)} at n = {above}, positive from"
        " there on"
    )
    found = f"Eq. 1 - Eq. 8 = 3n (n^2 - n - 8): {values}"
    return Statement("below Eq. 8", "Eq. 1 exceeds Eq. 8 from n = (1 + sqrt 33)/2 on", holds, found)


def _monotonous() -> Statement:
    shrinking = [n for n in RANGE[:-1] if _difference(n + 1) <= _difference(n)]
    start = max(shrinking, default=0) + 1
    found = f"it grows from each n to the next, checked for n = {start} to {RANGE[-1]:,}"
    return Statement(
        "below Eq. 8", "the difference increases monotonously", start <= ceil(CROSSOVER), found
    )


def _linear() -> Statement:
    grows = degree(_difference)
    found = (
        f"it grows with the power {grows} of n (differences of order {grows} are constant); the"
        " ratio grows linearly"
    )
    return Statement("below Eq. 8", "the difference increases linearly", grows == 1, found)


def _limit() -> Statement:
    last = RANGE[-1]
    exact = all(
        relations(n).ratio == Fraction(n**2, n + 8) == n - 8 + Fraction(64, n + 8) for n in RANGE
    )
    gaps = [n - relations(n).ratio for n in RANGE]
    closing = all(later < earlier for earlier, later in pairwise(gaps))
    share = float(relations(last).ratio / last)
    found = (
        "the ratio is n^2/(n + 8), which has no limit; the ratio over n tends to 1, and is"
        f" {share:.3f} at n = {last:,}"
    )
    return Statement("below Eq. 8", "the limit of Eq. 1 / Eq. 8 is n", exact and closing, found)


def _difference(n: int) -> int:
    paper = relations(n)
    return paper.transformer - paper.d_transformer


def degree(f: Callable[[int], int], points: Sequence[int] = RANGE) -> int:
    """Return the degree of a polynomial: the first order of differences that is constant.

    `points` are evenly spaced.
    """
    values, order = [f(n) for n in points], 0
    while len(set(values)) > 1:
        values, order = [later - earlier for earlier, later in pairwise(values)], order + 1
    return order
