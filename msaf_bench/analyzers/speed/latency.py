"""Summary of latencies: mean, and percentiles for large enough samples. No torch import here."""

from collections.abc import Sequence
from statistics import fmean

from msaf_bench.analyzers.speed.worker_report import Finite
from msaf_bench.spec import Spec
from msaf_bench.stats.order_statistics import least_samples, quantile

#: fewest samples for each percentile: 1, 64 and 662
LEAST = {"p50": 1, "p90": least_samples(0.9), "p99": least_samples(0.99)}


class Percentile(Spec):
    """A percentile in ms with its 95 % interval, or the reason why it is not stated."""

    value: Finite | None = None
    low: Finite | None = None
    high: Finite | None = None
    reason: str = ""


class Latency(Spec):
    """Summary of the samples of all processes, in ms."""

    p50: Percentile
    p90: Percentile
    p99: Percentile
    mean: Finite
    samples: int


def summarise(samples_ms: Sequence[float]) -> Latency:
    """Return the mean and percentiles of one or more samples."""
    found: dict[str, Percentile] = {}
    for name, needed in LEAST.items():
        if len(samples_ms) < needed:
            found[name] = Percentile(reason=f"needs {needed} samples, got {len(samples_ms)}")
        else:
            found[name] = Percentile.model_validate(
                quantile(samples_ms, int(name[1:]) / 100)._asdict()
            )
    return Latency(mean=fmean(samples_ms), samples=len(samples_ms), **found)
