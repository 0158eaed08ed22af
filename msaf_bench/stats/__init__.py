"""What a handful of seeds can say: intervals, exact tests, verdicts, agreement of orders, effects, power."""

from msaf_bench.stats.agreement import Agreement, agreement, tau_b
from msaf_bench.stats.factorial import Effect, effects
from msaf_bench.stats.intervals import Difference, Interval, mean_interval, paired_difference, sign_flip_p
from msaf_bench.stats.power import paired_power, seeds_needed
from msaf_bench.stats.verdicts import Decision, holm, judge

__all__ = [
    "Agreement",
    "Decision",
    "Difference",
    "Effect",
    "Interval",
    "agreement",
    "effects",
    "holm",
    "judge",
    "mean_interval",
    "paired_difference",
    "paired_power",
    "seeds_needed",
    "sign_flip_p",
    "tau_b",
]
