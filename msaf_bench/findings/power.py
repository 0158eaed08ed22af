"""Power of a run: differences that its seeds can detect at their observed spread."""

from dataclasses import dataclass

from msaf_bench.catalog import family_of
from msaf_bench.findings.summary import Summary
from msaf_bench.stats import (
    detectable,
    level_of_each,
    match_power,
    paired_power,
    seeds_needed,
    seeds_to_match,
)


@dataclass(frozen=True)
class Power:
    """Chances to detect differences between two rows."""

    sd: float  #: standard deviation of the paired differences, pooled over the rows
    seeds: int
    detectable: float  #: smallest difference in points that is detected 80 % of the time
    #: (effect in points, chance to detect it, seeds needed for 80 %)
    lines: tuple[tuple[float, float, int | None], ...]
    family: int  #: number of comparisons with simultaneous intervals
    same: float  #: chance to call two rows the same if they do not differ
    same_needs: int | None  #: seeds needed to do so 80 % of the time


def power_of(summary: Summary) -> Power | None:
    """Return the chance to detect each printed difference with simultaneous intervals.

    Uses the observed spread and number of seeds. None below two paired seeds.
    """
    gaps = [row.difference.interval for row in summary.rows if row.difference]
    known = [(i.sd, i.n) for i in gaps if i.sd is not None]
    if not known:
        return None
    sd = (sum(sd**2 * (n - 1) for sd, n in known) / sum(n - 1 for _, n in known)) ** 0.5
    seeds = max(n for _, n in known)
    effects = sorted({round(abs(v.points), 3) for v in summary.verdicts if v.points}) or [
        0.5,
        1.0,
        2.0,
    ]
    family, margin = family_of(summary.table), summary.table.margin
    level = level_of_each(family)
    lines = tuple(
        (x, paired_power(x, sd, seeds, level), seeds_needed(x, sd, level=level)) for x in effects
    )
    return Power(
        sd,
        seeds,
        detectable(sd, seeds, level=level),
        lines,
        family,
        match_power(sd, margin, seeds, level),
        seeds_to_match(sd, margin, level),
    )
