"""Facts about the whole batch for code that sees only a part of it.

A batch can be learnt in parts, by several processes or one part after the other. The mean of the
parts' losses is then the loss of the whole batch. A mean over clips needs nothing more, since all
parts have the same number of clips. Any other count, selection or random draw in a loss comes from
this module. Outside `learning` every function treats the batch as whole.

Shapes: P parts, B clips per part, H W image.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

from msaf_bench.spec import VOID

Gather = Callable[[Tensor], Tensor]  #: tensor of one part -> tensors of all parts, (P, ...)


@dataclass(frozen=True)
class BatchPart:
    """One part of a batch while it is learnt."""

    index: int  #: index of this part, from 0
    count: int  #: number of parts P
    labels: Tensor  #: labels of this part, (B, H, W)
    labelled: Tensor  #: number of labelled pixels of the whole batch
    gather: Gather
    chance: torch.Generator  #: random generator, in the same state in all parts


_PART: ContextVar[BatchPart | None] = ContextVar("part", default=None)


@contextmanager
def learning(part: BatchPart) -> Generator[None]:
    """Treat the batches learnt inside the context as one part of a whole batch."""
    token = _PART.set(part)
    try:
        yield
    finally:
        _PART.reset(token)


def of_all(x: Tensor) -> Tensor:
    """Gather a tensor from all parts of the batch, without its gradient: (P, ...).

    A network whose loss calls this sets `batchwise_loss`.
    """
    part = _PART.get()
    return x.detach()[None] if part is None else part.gather(x.detach())


def labelled(labels: Tensor) -> Tensor:
    """Return the number of labelled pixels (not void, 255) of the whole batch.

    Labels other than those of the current part are gathered with `of_all`.
    """
    part = _PART.get()
    if part is not None and _same(labels, part.labels):
        return part.labelled
    return of_all((labels != VOID).sum()).sum()


def _same(one: Tensor, other: Tensor) -> bool:
    return one.data_ptr() == other.data_ptr() and one.shape == other.shape


def mean_of(total: Tensor, count: Tensor) -> Tensor:
    """Divide a part's sum by its equal share of `count`, the number of summed items in the batch.

    Returns 0 if `count` is 0.
    """
    part = _PART.get()
    count = count.clamp(min=1)
    return total / (count if part is None else count / part.count)


def draw(bound: int) -> int:
    """Return a random integer from 0 to `bound` - 1, the same for all parts."""
    return int(torch.randint(bound, (), generator=_chance(), device="cpu"))


def draw_order(count: int) -> Tensor:
    """Return a random permutation (count,) of the numbers from 0, the same for all parts."""
    return torch.randperm(count, generator=_chance())


def draw_each(bound: int, clips: int, device: torch.device) -> Tensor:
    """Return a random integer from 0 to `bound` - 1 for each clip of this part, (clips,)."""
    part = _PART.get()
    if part is None:
        return torch.randint(bound, (clips,), device=device)
    everyone = torch.randint(bound, (part.count, clips), generator=part.chance)
    return everyone[part.index].to(device)


def _chance() -> torch.Generator | None:
    part = _PART.get()
    return None if part is None else part.chance
