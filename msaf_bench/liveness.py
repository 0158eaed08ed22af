"""Criteria of liveness: the ranges of a part's gauges, gradient and effect. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

#: minimum rms gradient of a part's weights, divided by the rms gradient of all trained weights; a
#: dead part has exactly 0
GRADIENT_LEAST = 1e-5
#: maximum share of a part's weights without gradient; half the units of a live ReLU may be inactive
SILENT_MOST = 0.9
CHANGED_LEAST = 0.1  #: minimum percentage of pixels whose class changes when a part is silenced


@dataclass(frozen=True)
class Gauge:
    """The meaning of a reading and the range in which its part is live."""

    text: str  #: completes "NAME is not live: ..."; `{value}` is the reading
    low: float = float("-inf")
    high: float = float("inf")

    def holds(self, value: float) -> bool:
        """Return whether the reading is in range. NaN never is."""
        return self.low <= value <= self.high


#: All built-in readings by name. A plug-in adds its own here from `register`.
GAUGES: dict[str, Gauge] = {
    "inside": Gauge("{value:.1%} of its taps lie inside the map", low=0.5),
    "at_bound": Gauge(
        "{value:.1%} of its offsets are at their bound and no longer learn", high=0.9
    ),
    "offset_rms": Gauge("its offsets have an rms of {value:.1f} cells"),
    "source": Gauge("{value:.1%} of the pixels find their source inside the frame", low=0.5),
    "flow_rms": Gauge("its flow has an rms of {value:.1f} cells"),
    "past_weight": Gauge(
        "its attention gives {value:.2%} of its weight to the past frames", low=0.001
    ),
    "memory_share": Gauge("{value:.3%} of its sum comes from the past frames", low=0.0001),
    "key_rate": Gauge(
        "{value:.1%} of the frames are key frames, so nothing is carried over", high=0.99
    ),
    "saturated": Gauge("{value:.1%} of its gates are saturated", high=0.99),
    "off_centre": Gauge("{value:.1%} of its kernels' weight lies off the centre"),
    "varying": Gauge("{value:.1%} of its output channels vary over the image", low=0.05),
}


class Supply(NamedTuple):
    """The gradient that reaches a part."""

    relative: float  #: rms gradient of its weights, divided by that of all trained weights
    silent: float  #: share of its weights in units (filters, rows) without any gradient


def complaint(
    gauges: Mapping[str, float], supply: Supply | None = None, changed: float | None = None
) -> str:
    """Return the reason why a part is not live, or an empty text if it is.

    The reason is the first of its gauges, its gradient and its effect that is out of range.
    """
    for name, value in gauges.items():
        if name in GAUGES and not GAUGES[name].holds(value):
            return GAUGES[name].text.format(value=value)
    if supply and supply.silent > SILENT_MOST:
        return f"{supply.silent:.0%} of its weights get no gradient"
    if supply and supply.relative < GRADIENT_LEAST:
        return f"its gradient is {supply.relative:.1e} of the network's"
    if changed is not None and changed < CHANGED_LEAST:
        return f"{changed:.2f} % of the pixels change when it is silenced"
    return ""
