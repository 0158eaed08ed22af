"""One training in several processes that hold one copy of the network each.

torchrun starts such processes, and so does Ray Train; process 0 leads. Here is what they say to
each other beside the gradients.
"""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed import Store  # pyright: ignore[reportPrivateImportUsage]

from msaf_bench.errors import HostError, UsageError
from msaf_bench.spec import Conditions

Said = TypeVar("Said")

#: for which a process waits for another one: process 0 validates, scores and writes alone
PATIENCE = timedelta(hours=12)
#: what gloo says where the other process is gone; NCCL has an error of its own
GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo")


@dataclass(frozen=True)
class Group:
    """The processes that train one network together, and which of them this one is."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def said(self, say: Callable[[], Said]) -> Said:
        """Return what `say` returns in process 0; the others wait for it."""
        if self.size == 1:
            return say()
        told: list[object] = [say() if self.leads else None]
        with lost():
            distributed.broadcast_object_list(told)
        return told[0]  # pyright: ignore[reportReturnType]

    @contextmanager
    def first(self) -> Generator[None]:
        """Run the block in process 0 before the others run it."""
        if not self.leads:
            self.said(lambda: None)
        yield
        if self.leads:
            self.said(lambda: None)

    def sum(self, x: Tensor) -> Tensor:
        """Return the sum of a tensor over the processes, in all of them."""
        if self.size > 1:
            x = x.clone()
            with lost():
                distributed.all_reduce(x)
        return x

    def gathered(self, x: Tensor) -> Tensor:
        """Tensors (...) -> (size, ...), those of all processes in all of them."""
        if self.size == 1:
            return x[None]
        found = [torch.empty_like(x) for _ in range(self.size)]
        with lost():
            distributed.all_gather(found, x.contiguous())
        return torch.stack(found)


ALONE = Group()


class LostError(HostError):
    """Another process of the group has ended."""


def current() -> Group:
    """Return the group that this process belongs to, whoever made it."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return ALONE
    return Group(distributed.get_rank(), distributed.get_world_size())


@contextmanager
def lost() -> Generator[None]:
    """Raise `LostError` for what goes wrong because another process of the group has ended."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if not isinstance(error, distributed.DistError) and not any(each in text for each in GONE):
            raise
        raise LostError(
            "another process of this training has ended, so this one cannot go on; its own message"
            " says why. A finished trial is kept, a begun one goes on from its last checkpoint"
        ) from error


@contextmanager
def joined(
    device: str, store: Store | None = None, rank: int = -1, size: int = -1
) -> Generator[str]:
    """Join the group that meets at a store, or else the one that torchrun's variables describe;
    yield the device of this process.

    On a GPU that is the one of this process's number on its machine. Raises `UsageError` for
    "cuda:N", and for more processes on a machine than it has GPUs.
    """
    backend = "gloo"
    if device.startswith("cuda"):
        local, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if device != "cuda":
            raise UsageError(f"--device {device} is one GPU for all processes; give --device cuda")
        if local >= there:
            raise UsageError(
                f"process {local} of this machine has no GPU, there are {there}; lower torchrun's"
                " --nproc-per-node"
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"  # who waits for process 0 does not keep a GPU busy
    with lost():
        distributed.init_process_group(
            backend, store=store, rank=rank, world_size=size, timeout=PATIENCE
        )
    try:
        yield device
    except BaseException:
        # NCCL would wait here for what the others do not do any more; the process ends anyhow.
        if backend == "gloo":
            distributed.destroy_process_group()
        raise
    distributed.destroy_process_group()


def check_group(conditions: Conditions, size: int) -> None:
    """Raises `UsageError` where a batch has no equal parts for so many processes."""
    batch, accumulate = conditions.batch, conditions.accumulate
    parts = size * accumulate
    if batch % parts:
        times = f", each in {accumulate} parts" if accumulate > 1 else ""
        raise UsageError(
            f"batch = {batch} has no equal parts for {size} processes{times}; add --set"
            f" batch={parts * max(1, round(batch / parts))}, or change the number of processes"
        )
