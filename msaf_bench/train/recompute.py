"""Activation checkpointing: activations are recomputed in the backward pass (Chen et al. 2016)."""

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

#: maximum number of modules with weights per unit; a residual or transformer block has up to 8
LARGEST = 10


@contextmanager
def recomputed(net: nn.Module) -> Generator[None]:
    """Let the units of a network store only their input inside the block.

    Gradients, running statistics, random draws and names of weights stay the same.
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
    """Yield the largest modules with 2 to `LARGEST` modules that have weights.

    These are residual blocks, transformer blocks, and convolutions with their norm.
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
    """Return whether a sequence begins with an in-place function that overwrites its input."""
    first = next(iter(unit.children()), None)
    return isinstance(unit, nn.Sequential) and bool(getattr(first, "inplace", False))


def _forward(unit: nn.Module, forward: Callable[..., object], *inputs: object) -> object:
    if not torch.is_grad_enabled():
        return forward(*inputs)
    # Without early stop, modules run to their end again, and their forward hooks are called.
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
    """Freeze the running statistics of a unit's batch norms, which already include this batch."""
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
