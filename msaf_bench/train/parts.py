"""Parts of a batch: shares of several processes, and successive parts within each process.

Together they have the loss of the whole batch. Shapes: P parts of the whole batch, B clips of this
process, H W image.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from msaf_bench.components.whole_batch import BatchPart, Gather, learning
from msaf_bench.spec import VOID
from msaf_bench.train.batches import Inputs
from msaf_bench.train.parallel import ProcessGroup

Seed = Callable[[int], int]  #: index of a part in the whole batch -> seed of its dropout


class Parts(NamedTuple):
    """The parts of this process and their place in the whole batch."""

    own: Sequence[tuple[Inputs, Tensor]]  #: inputs and labels of each part
    group: ProcessGroup
    labelled: Tensor  #: number of labelled pixels in the whole batch
    seed: Seed

    @contextmanager
    def part(self, number: int, gather: Gather) -> Generator[tuple[Inputs, Tensor]]:
        """Yield inputs and labels of one part of this process, to be trained inside the block."""
        index = number * self.group.size + self.group.rank
        torch.manual_seed(self.seed(index))
        inputs, labels = self.own[number]
        chance = torch.Generator().manual_seed(self.seed(0))
        count = self.group.size * len(self.own)
        with learning(BatchPart(index, count, labels, self.labelled, gather, chance)):
            yield inputs, labels

    def counted(self, run: Callable[[Inputs, Tensor], Tensor]) -> list[Tensor]:
        """Run all parts without gradients; return the whole-batch tensors that their losses read.

        They are in the order in which the losses ask for them, each (P, ...).
        """
        asked: list[list[Tensor]] = []

        def ask(x: Tensor) -> Tensor:
            asked[-1].append(x)
            return x.expand(self.group.size * len(self.own), *x.shape)

        for number in range(len(self.own)):
            asked.append([])
            with torch.no_grad(), self.part(number, ask) as (inputs, labels):
                run(inputs, labels)
        return [
            self.group.gathered(torch.stack(each)).transpose(0, 1).flatten(0, 1)
            for each in zip(*asked, strict=True)
        ]


def parts_of(inputs: Inputs, labels: Tensor, count: int, group: ProcessGroup, seed: Seed) -> Parts:
    """Return the parts of a batch (B, ...), of which this process trains `count`.

    Args:
        inputs: Inputs of this process.
        labels: Labels of this process.
        count: Number of parts of this process.
        group: Processes that share the batch.
        seed: Seed of the dropout by part.
    """
    labelled = group.sum((labels != VOID).sum())
    own = zip(_split(inputs, count), labels.chunk(count), strict=True)
    return Parts(list(own), group, labelled, seed)


def _split(inputs: Inputs, count: int) -> Sequence[Inputs]:
    if isinstance(inputs, Tensor):
        return inputs.chunk(count)
    return list(zip(*(field.chunk(count) for field in inputs), strict=True))


def unasked(x: Tensor) -> Tensor:
    """Raise an error for a loss that reads the whole batch without declaring it."""
    raise RuntimeError(
        "its loss reads the whole batch (`whole_batch.of_all`), so its network must set"
        " `batchwise_loss = True` to be trained with accumulate > 1"
    )
