"""Gauges: readings of a part's health, collected inside `listening` and free of cost outside."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Reading(NamedTuple):
    """One value of a gauge, with the part that reported it."""

    part: str
    gauge: str
    value: float


class Listener:
    """Collector of readings.

    `stack` holds the parts that are running, innermost last; `ran` holds the modules that have run.
    """

    def __init__(self) -> None:
        self.stack: list[str] = []
        self.readings: list[Reading] = []
        self.ran: set[nn.Module] = set()


_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening() -> Generator[Listener]:
    """Collect the readings of all code that runs inside the context."""
    listener = Listener()
    token = _LISTENER.set(listener)
    try:
        yield listener
    finally:
        _LISTENER.reset(token)


def gauge(name: str, value: Callable[[], Tensor | float], *, part: str = "") -> None:
    """Report a reading of the part that is running, or of `part` for code shared by networks.

    `value` is called without a gradient and only inside `listening`. `name` is a key of
    `liveness.GAUGES`. On the device "meta", which has shapes alone, nothing is reported.
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
    """Return the past's share in a sum of two maps: its rms divided by the sum of both rms."""
    held, new = (x.float().square().mean().sqrt() for x in (past, own))
    return held / (held + new).clamp(min=1e-12)


def saturated(gates: Tensor, least: float = 0.01) -> Tensor:
    """Return the share of gates (values in [0, 1]) closer than `least` to 0 or 1."""
    return ((gates < least) | (gates > 1 - least)).float().mean()
