"""How often a paired comparison of n seeds sees an effect of a given size."""

import numpy as np
from scipy.special import (
    gammaincinv,
    nctdtr,
    ndtr,
    stdtrit,
)  # pyright: ignore[reportUnknownVariableType]


def paired_power(effect: float, sd: float, n: int, level: float = 0.95) -> float:
    """Chance (0..1) that the two-sided paired interval of `n` seeds excludes zero, for a true
    `effect`.

    `sd` is the standard deviation of the differences, in the unit of `effect`. Source: the
    noncentral t distribution.
    """
    if n < 2:
        return 0.0
    if sd == 0:
        return float(effect != 0)
    limit, shift = stdtrit(n - 1, (1 + level) / 2), abs(effect) / sd * n**0.5
    # NaN where the tail underflows
    below, other = np.nan_to_num([nctdtr(n - 1, shift, limit), nctdtr(n - 1, shift, -limit)])
    return float(1 - below + other)


def seeds_needed(
    effect: float, sd: float, power: float = 0.8, most: int = 200, level: float = 0.95
) -> int | None:
    """The fewest seeds that see `effect` with chance `power`, or None where `most` are too few."""
    return next(
        (n for n in range(2, most + 1) if paired_power(effect, sd, n, level) >= power), None
    )


def seeds_to_match(
    sd: float, margin: float, level: float = 0.95, power: float = 0.8, most: int = 200
) -> int | None:
    """The fewest seeds whose interval lies within ±`margin` with chance `power` where nothing
    differs, or None where `most` are too few.

    By the chi-squared law of the variance and the normal law of the mean, as the interval must fit
    on both sides.
    """
    return next((n for n in range(2, most + 1) if match_power(sd, margin, n, level) >= power), None)


def match_power(sd: float, margin: float, n: int, level: float = 0.95) -> float:
    """Chance (0..1) that the paired interval of `n` seeds lies within ±`margin` where nothing
    differs.
    """
    if n < 2:
        return 0.0
    if sd == 0:
        return float(margin > 0)
    shares = (np.arange(2000) + 0.5) / 2000  # of the law of the estimated variance
    spread = sd * np.sqrt(2 * gammaincinv((n - 1) / 2, shares) / (n - 1))
    room = margin - stdtrit(n - 1, (1 + level) / 2) * spread / n**0.5
    return float(np.where(room > 0, 2 * ndtr(room / sd * n**0.5) - 1, 0.0).mean())


def detectable(sd: float, n: int, power: float = 0.8, level: float = 0.95) -> float:
    """The smallest effect that `n` seeds see with chance `power`, in the unit of `sd`. Raises
    `ValueError` below two seeds.
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
    """How well `n` seeds see an effect at this spread, in words."""
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
