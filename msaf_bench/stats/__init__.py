"""What a handful of seeds can say: intervals, exact tests, verdicts, agreement of orders, effects, power; what other images might say."""

from msaf_bench.stats.agreement import Agreement, agreement, tau_b
from msaf_bench.stats.bootstrap import Areas, ImageDifference, image_difference, image_interval
from msaf_bench.stats.concordance import Concordance, concordance
from msaf_bench.stats.factorial import Effect, effects
from msaf_bench.stats.intervals import Difference, Interval, mean_interval, paired_difference, sign_flip_p
from msaf_bench.stats.omnibus import Omnibus, friedman
from msaf_bench.stats.pareto import pareto_front
from msaf_bench.stats.power import detectable, paired_power, power_sentence, seeds_needed
from msaf_bench.stats.verdicts import Decision, holm, judge

__all__ = [
    "Agreement",
    "Areas",
    "Concordance",
    "Decision",
    "Difference",
    "Effect",
    "ImageDifference",
    "Interval",
    "Omnibus",
    "agreement",
    "concordance",
    "detectable",
    "effects",
    "friedman",
    "holm",
    "image_difference",
    "image_interval",
    "judge",
    "mean_interval",
    "paired_difference",
    "paired_power",
    "pareto_front",
    "power_sentence",
    "seeds_needed",
    "sign_flip_p",
    "tau_b",
]
