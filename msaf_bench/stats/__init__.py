"""What a handful of seeds can say: intervals, verdicts, agreement of orders, effects, power; and
other images.
"""

from msaf_bench.stats.agreement import Agreement, agreement, tau_b
from msaf_bench.stats.bootstrap import Areas, ImageDifference, image_difference, image_interval
from msaf_bench.stats.concordance import Concordance, concordance
from msaf_bench.stats.factorial import Effect, effects, shapley
from msaf_bench.stats.intervals import (
    PERCENT,
    POINTS,
    Difference,
    Interval,
    level_of_each,
    mean_interval,
    paired_difference,
    prediction_interval,
)
from msaf_bench.stats.omnibus import Omnibus, friedman
from msaf_bench.stats.pareto import pareto_front
from msaf_bench.stats.power import (
    detectable,
    match_power,
    paired_power,
    power_sentence,
    seeds_needed,
    seeds_to_match,
)
from msaf_bench.stats.verdicts import Decision, judge

__all__ = [
    "PERCENT",
    "POINTS",
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
    "image_difference",
    "image_interval",
    "judge",
    "level_of_each",
    "match_power",
    "mean_interval",
    "paired_difference",
    "paired_power",
    "pareto_front",
    "power_sentence",
    "prediction_interval",
    "seeds_needed",
    "seeds_to_match",
    "shapley",
    "tau_b",
]
