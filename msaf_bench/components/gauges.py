"""Readings that a part gives of its own health while somebody listens; free when nobody does."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Reading(NamedTuple):
    """One value, with the part that gave it."""

    part: str
    gauge: str
    value: float


class Listener:
    """Collects readings. `stack` holds the parts that run now, innermost last; `ran` the modules
    that have run.
    """

    def __init__(self) -> None:
        self.stack: list[str] = []
        self.readings: list[Reading] = []
        self.ran: set[nn.Module] = set()


_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening() -> Generator[Listener]:
    """Collect the readings of everything that runs inside."""
    listener = Listener()
    token = _LISTENER.set(listener)
    try:
        yield listener
    finally:
        _LISTENER.reset(token)


def gauge(name: str, value: Callable[[], Tensor | float], *, part: str = "") -> None:
    """Report a reading of the part that runs now, or of `part` where a function serves several
    networks.

    `value` is called only while somebody listens, without a gradient. `name` is a key of `GAUGES`.
    Shapes alone (device "meta") give no reading.
    """
    listener = _LISTENER.get()
    if listener is None:
        return
    with torch.no_grad():
        found = value()
    if not (isinstance(found, Tensor) and found.is_meta):
        listener.readings.append(
            Reading(part or (listener.stack[-1] if listener.stack else ""), name, float(found))
        )


def memory_share(past: Tensor, own: Tensor) -> Tensor:
    """Return the share of what comes from the past in a sum of two maps: rms of the past's over the
    sum of both rms.
    """
    held, new = (x.float().square().mean().sqrt() for x in (past, own))
    return held / (held + new).clamp(min=1e-12)


def saturated(gates: Tensor, least: float = 0.01) -> Tensor:
    """Return the share of gates (values in [0, 1]) that are closer than `least` to either end."""
    return ((gates < least) | (gates > 1 - least)).float().mean()
