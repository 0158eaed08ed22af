"""Power of a run: the differences that its seeds can see at the spread they show."""

from dataclasses import dataclass

from msaf_bench.report.findings import Summary
from msaf_bench.stats import detectable, paired_power, seeds_needed


@dataclass(frozen=True)
class Power:
    """Chances to see differences between two rows."""

    sd: float  #: of the paired differences, pooled over the rows
    seeds: int
    detectable: float  #: smallest difference in points that is seen 80 % of the time
    lines: tuple[tuple[float, float, int | None], ...]  #: (effect in points, chance to see it, seeds for 80 %)


def power_of(summary: Summary) -> Power | None:
    """How often each printed difference would be seen at this spread and number of seeds; None below two paired seeds."""
    gaps = [row.difference.interval for row in summary.rows if row.difference]
    known = [(i.sd, i.n) for i in gaps if i.sd is not None]
    if not known:
        return None
    sd = (sum(sd**2 * (n - 1) for sd, n in known) / sum(n - 1 for _, n in known)) ** 0.5
    seeds = max(n for _, n in known)
    effects = sorted({round(abs(v.points), 3) for v in summary.verdicts if v.points}) or [0.5, 1.0, 2.0]
    return Power(sd, seeds, detectable(sd, seeds), tuple((x, paired_power(x, sd, seeds), seeds_needed(x, sd)) for x in effects))
