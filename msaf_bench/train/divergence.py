"""Checks that end a training with non-finite losses or weights."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from msaf_bench.errors import BenchError


class NonFiniteLossError(BenchError):
    """The loss or a weight is NaN or infinite; the message names the step."""


def mean_loss(values: Sequence[float], step: int, scaler: torch.amp.GradScaler) -> float | None:
    """Return the mean of the losses up to a step, or None if the scaler skipped all these steps.

    Raises `NonFiniteLossError` for a non-finite loss, and for fp16 gradients that overflow at any
    scale.
    """
    if scaler.is_enabled():
        if scaler.get_scale() < 1:
            raise NonFiniteLossError(f"non-finite gradients in fp16 at step {step}, at any scale")
        values = [value for value in values if math.isfinite(value)]
    for i, value in enumerate(values):
        if not math.isfinite(value):
            raise NonFiniteLossError(
                f"non-finite loss ({value}) at step {step - len(values) + i + 1}"
            )
    return sum(values) / len(values) if values else None


def check_finite(net: nn.Module, step: int) -> None:
    """Raise `NonFiniteLossError` if the last step made a weight NaN or infinite.

    No later loss would show it.
    """
    for name, weights in net.named_parameters():
        if not torch.isfinite(weights).all():
            raise NonFiniteLossError(f"non-finite weights ({name}) after step {step}")
