"""Activation checkpointing: few activations are kept in the forward pass, the others are computed
again in the backward pass (Chen et al. 2016).
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.utils.checkpoint import (
    checkpoint,  # pyright: ignore[reportUnknownVariableType]
    set_checkpoint_early_stop,
)

#: modules with weights that a unit has at most: a residual or a transformer block has up to 8
LARGEST = 10


@contextmanager
def recomputed(net: nn.Module) -> Generator[None]:
    """Let the units of a network keep nothing but their input. Gradients, running statistics and
    random draws stay the same, and so do the names of the weights.
    """
    found = list(units(net))
    for unit in found:
        unit.forward = partial(_forward, unit, unit.forward)
    try:
        yield
    finally:
        for unit in found:
            del unit.forward


def units(net: nn.Module) -> Iterator[nn.Module]:
    """Yield the largest modules with 2 to `LARGEST` modules that have weights: residual blocks,
    transformer blocks, a convolution with its norm.
    """
    for child in net.children():
        weighted = sum(
            1 for m in child.modules() if next(m.parameters(recurse=False), None) is not None
        )
        if weighted > LARGEST or isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from units(child)
        elif weighted > 1 and not _writes_its_input(child):
            yield child


def _writes_its_input(unit: nn.Module) -> bool:
    """Whether a sequence begins with a function in place, so that its input cannot be kept."""
    first = next(iter(unit.children()), None)
    return isinstance(unit, nn.Sequential) and bool(getattr(first, "inplace", False))


def _forward(unit: nn.Module, forward: Callable[..., object], *inputs: object) -> object:
    if not torch.is_grad_enabled():
        return forward(*inputs)
    # Modules are computed to their end again, so that what follows them sees them end.
    with set_checkpoint_early_stop(False):
        run = cast("Callable[..., object]", checkpoint)
        return run(
            forward,
            *inputs,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), _second_time(unit)),
        )


@contextmanager
def _second_time(unit: nn.Module) -> Generator[None]:
    """Let the batch norms of a unit see a batch that their running statistics know already."""
    norms = [m for m in unit.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    counts = [cast("Tensor", norm.num_batches_tracked).clone() for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, momenta, counts, strict=True):
            norm.momentum = momentum
            cast("Tensor", norm.num_batches_tracked).copy_(count)
