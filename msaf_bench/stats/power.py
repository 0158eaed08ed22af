"""Power of a paired comparison over n seeds for an effect of a given size."""

import numpy as np
from scipy.special import (
    gammaincinv,
    nctdtr,
    ndtr,
    stdtrit,
)  # pyright: ignore[reportUnknownVariableType]


def paired_power(effect: float, sd: float, n: int, level: float = 0.95) -> float:
    """Return the probability that the two-sided paired interval of `n` seeds excludes zero.

    Source: the noncentral t distribution.

    Args:
        effect: True difference.
        sd: Standard deviation of the differences, in the unit of `effect`.
        n: Number of seeds.
        level: Level of the interval.
    """
    if n < 2:
        return 0.0
    if sd == 0:
        return float(effect != 0)
    limit, shift = stdtrit(n - 1, (1 + level) / 2), abs(effect) / sd * n**0.5
    # NaN if the tail underflows
    below, other = np.nan_to_num([nctdtr(n - 1, shift, limit), nctdtr(n - 1, shift, -limit)])
    return float(1 - below + other)


def seeds_needed(
    effect: float, sd: float, power: float = 0.8, most: int = 200, level: float = 0.95
) -> int | None:
    """Return the fewest seeds that detect an effect with probability `power`.

    Args:
        effect: True difference.
        sd: Standard deviation of the differences, in the unit of `effect`.
        power: Required probability.
        most: Largest number of seeds to try; None is returned if it is too small.
        level: Level of the interval.
    """
    return next(
        (n for n in range(2, most + 1) if paired_power(effect, sd, n, level) >= power), None
    )


def seeds_to_match(
    sd: float, margin: float, level: float = 0.95, power: float = 0.8, most: int = 200
) -> int | None:
    """Return the fewest seeds whose interval lies within ±`margin` with probability `power`.

    The true difference is zero. See `match_power`.

    Args:
        sd: Standard deviation of the differences.
        margin: Largest accepted difference, in the unit of `sd`.
        level: Level of the interval.
        power: Required probability.
        most: Largest number of seeds to try; None is returned if it is too small.
    """
    return next((n for n in range(2, most + 1) if match_power(sd, margin, n, level) >= power), None)


def match_power(sd: float, margin: float, n: int, level: float = 0.95) -> float:
    """Return the probability that the paired interval of `n` seeds lies within ±`margin`.

    The true difference is zero. Uses the chi-squared distribution of the variance and the normal
    distribution of the mean, because the interval must fit on both sides.

    Args:
        sd: Standard deviation of the differences.
        margin: Largest accepted difference, in the unit of `sd`.
        n: Number of seeds.
        level: Level of the interval.
    """
    if n < 2:
        return 0.0
    if sd == 0:
        return float(margin > 0)
    shares = (np.arange(2000) + 0.5) / 2000  # quantile levels of the estimated variance
    spread = sd * np.sqrt(2 * gammaincinv((n - 1) / 2, shares) / (n - 1))
    room = margin - stdtrit(n - 1, (1 + level) / 2) * spread / n**0.5
    return float(np.where(room > 0, 2 * ndtr(room / sd * n**0.5) - 1, 0.0).mean())


def detectable(sd: float, n: int, power: float = 0.8, level: float = 0.95) -> float:
    """Return the smallest effect that `n` seeds detect with probability `power`.

    Args:
        sd: Standard deviation of the differences; the effect has the same unit.
        n: Number of seeds.
        power: Required probability.
        level: Level of the interval.

    Raises:
        ValueError: For fewer than two seeds.
    """
    if n < 2:
        raise ValueError(f"one seed has no spread; give at least two, not {n}")
    if sd == 0:
        return 0.0
    low, high = 0.0, sd
    while paired_power(high, sd, n, level) < power:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if paired_power(middle, sd, n, level) < power else (low, middle)
    return high


def power_sentence(effect: float, sd: float, n: int, level: float = 0.95) -> str:
    """Return a sentence about the power of `n` seeds.

    Args:
        effect: Difference to detect, in points.
        sd: Standard deviation of the differences, in points.
        n: Number of seeds.
        level: Level of the interval.
    """
    seeds = "1 seed sees" if n == 1 else f"{n} seeds see"
    more = seeds_needed(effect, sd, level=level)
    enough = (
        "more than 200 seeds are needed"
        if more is None
        else f"{more} {'is' if more == 1 else 'are'} needed"
    )
    spread = f"With differences that spread by {sd:.2g} points"
    return (
        f"{spread}, {seeds} an effect of {effect:g} points"
        f" {100 * paired_power(effect, sd, n, level):.0f} % of the time; for 80 % {enough}."
    )
