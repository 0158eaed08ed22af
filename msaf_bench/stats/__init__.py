"""Statistics of a handful of seeds: intervals, verdicts, agreement of orders, effects, power; and
of other images.

Distributions and Friedman's test are SciPy's. Written here is only what SciPy lacks or changes:

- Paired t: Student's quantiles and tails are `scipy.special`'s. `scipy.stats.ttest_rel` knows no
  family of simultaneous intervals, and makes a t of rounding noise where all differences are equal.
- tau-b: for many orders in one call; a test holds it to `scipy.stats.kendalltau`.
- Permutation test of two orders: its draws are fixed and serve the interval too;
  `scipy.stats.permutation_test` would change every printed p.
- Bootstrap of mIoU: a ratio of sums over images, crossed with Student's t over seeds, with one draw
  for all networks. `scipy.stats.bootstrap` draws each statistic anew and takes no second factor.
- Quantiles by order statistics: `scipy.stats.quantile_test` gives one-sided or two-sided tests, not
  the two ranks that a sample size allows before it is drawn.
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
