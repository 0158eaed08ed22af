"""What a part of a batch must know of the whole, where one batch is learnt in several parts: by
several processes, or one after the other.

The mean of the parts' losses is the loss of the whole batch. A mean over clips needs nothing for
that, since all parts have the same number of clips. Whatever else a loss counts, selects or draws
comes from here. Without parts every function gives what the batch alone gives.

Shapes: P parts, B clips of a part, H W image.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

from msaf_bench.spec import VOID

Gather = Callable[[Tensor], Tensor]  #: a part's tensor -> (P, ...), those of all parts


@dataclass(frozen=True)
class Part:
    """One part of a batch while it is learnt."""

    index: int  #: from 0
    count: int  #: P
    labels: Tensor  #: (B, H, W)
    labelled: Tensor  #: number of labelled pixels of the whole batch
    gather: Gather
    chance: torch.Generator  #: in the same state in every part


_PART: ContextVar[Part | None] = ContextVar("part", default=None)


@contextmanager
def learning(part: Part) -> Generator[None]:
    """Let a part of a batch be learnt inside."""
    token = _PART.set(part)
    try:
        yield
    finally:
        _PART.reset(token)


def of_all(x: Tensor) -> Tensor:
    """Return a tensor of the whole batch without its gradient: (P, ...), one for each part.

    A network whose loss calls this sets `batchwise_loss`.
    """
    part = _PART.get()
    return x.detach()[None] if part is None else part.gather(x.detach())


def labelled(labels: Tensor) -> Tensor:
    """Return the number of labelled pixels, void = 255, of the whole batch.

    Those of other labels than the batch's own are gathered as by `of_all`.
    """
    part = _PART.get()
    if part is not None and _same(labels, part.labels):
        return part.labelled
    return of_all((labels != VOID).sum()).sum()


def _same(one: Tensor, other: Tensor) -> bool:
    return one.data_ptr() == other.data_ptr() and one.shape == other.shape


def mean_of(total: Tensor, count: Tensor) -> Tensor:
    """Return a part's sum divided by the part's equal share of `count`, the number of what the
    whole batch sums; 0 where that is 0.
    """
    part = _PART.get()
    count = count.clamp(min=1)
    return total / (count if part is None else count / part.count)


def draw(bound: int) -> int:
    """Return a random number from 0 to below `bound`, the same for all parts."""
    return int(torch.randint(bound, (), generator=_chance(), device="cpu"))


def draw_order(count: int) -> Tensor:
    """Return a random order (count,) of numbers from 0, the same for all parts."""
    return torch.randperm(count, generator=_chance())


def draw_each(bound: int, clips: int, device: torch.device) -> Tensor:
    """Return a random number from 0 to below `bound` for each clip (clips,) of this part."""
    part = _PART.get()
    if part is None:
        return torch.randint(bound, (clips,), device=device)
    everyone = torch.randint(bound, (part.count, clips), generator=part.chance)
    return everyone[part.index].to(device)


def _chance() -> torch.Generator | None:
    part = _PART.get()
    return None if part is None else part.chance
