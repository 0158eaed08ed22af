"""Losses and weights that are not finite end a training."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from msaf_bench.errors import BenchError


class NonFiniteLossError(BenchError):
    """The loss, or a weight, was NaN or infinite; the message names the step."""


def mean_loss(values: Sequence[float], step: int, scaler: torch.amp.GradScaler) -> float | None:
    """Return the mean of the losses up to a step; None where the scaler skipped all those steps."""
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
    """Raises `NonFiniteLossError` for weights that the last step has made NaN or infinite: no later
    loss would tell.
    """
    for name, weights in net.named_parameters():
        if not torch.isfinite(weights).all():
            raise NonFiniteLossError(f"non-finite weights ({name}) after step {step}")
