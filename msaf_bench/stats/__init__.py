"""Statistics over few seeds and over images: intervals, verdicts, rank agreement, effects, power.

Distributions and Friedman's test come from SciPy. This package implements five methods itself:

- Paired t: quantiles and tails come from `scipy.special`. `scipy.stats.ttest_rel` has no
  simultaneous intervals, and computes a t from rounding noise if all differences are equal.
- tau-b: many orders in one call; a test compares it with `scipy.stats.kendalltau`.
- Permutation test of two orders: the draws are fixed and shared with the interval.
  `scipy.stats.permutation_test` would change every printed p.
- Bootstrap of mIoU: a ratio of sums over images, crossed with Student's t over seeds, with the same
  draws for all networks. `scipy.stats.bootstrap` draws separately for each statistic and supports
  no second factor.
- Quantiles by order statistics: `scipy.stats.quantile_test` returns tests, but the two ranks for a
  sample size are needed before the sample is drawn.
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
from msaf_bench.stats.search import expected_best
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
    "expected_best",
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
