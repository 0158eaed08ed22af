"""Data-parallel training in several processes, each with a copy of the network.

torchrun or Ray Train starts the processes; process 0 leads. This module holds their communication
besides the gradients.
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

#: time limit for waiting on another process; long, since process 0 validates, scores and writes
PATIENCE = timedelta(hours=12)
#: gloo's messages when another process is gone; NCCL has its own error class
GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo")


@dataclass(frozen=True)
class ProcessGroup:
    """Processes that train one network together, and the rank of this one."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0

    def said(self, say: Callable[[], Said]) -> Said:
        """Return the result of `say` in process 0; other processes wait for it."""
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
        """Return the sum of a tensor over all processes."""
        if self.size > 1:
            x = x.clone()
            with lost():
                distributed.all_reduce(x)
        return x

    def gathered(self, x: Tensor) -> Tensor:
        """Return the tensors (...) of all processes as one tensor (size, ...)."""
        if self.size == 1:
            return x[None]
        found = [torch.empty_like(x) for _ in range(self.size)]
        with lost():
            distributed.all_gather(found, x.contiguous())
        return torch.stack(found)


ALONE = ProcessGroup()


class LostError(HostError):
    """Another process of the group has ended."""


def current() -> ProcessGroup:
    """Return the process group of this process."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return ALONE
    return ProcessGroup(distributed.get_rank(), distributed.get_world_size())


@contextmanager
def lost() -> Generator[None]:
    """Raise `LostError` for errors caused by the end of another process."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if not isinstance(error, distributed.DistError) and not any(each in text for each in GONE):
            raise
        raise LostError(
            "another process of this training has ended, so this one cannot go on; see its message"
            " for the reason. Finished trials are kept, others resume from their last checkpoint"
        ) from error


@contextmanager
def joined(
    device: str, store: Store | None = None, rank: int = -1, size: int = -1
) -> Generator[str]:
    """Join a process group inside the block; yield the device of this process.

    On GPUs, a process takes the GPU with its own number on its machine.

    Args:
        device: "cpu" or "cuda".
        store: Store where the group meets. Default: the address in torchrun's variables.
        rank: Rank of this process. Default: from torchrun's variables.
        size: Number of processes. Default: from torchrun's variables.

    Raises:
        UsageError: The device is "cuda:N", or the machine has fewer GPUs than processes.
    """
    backend = "gloo"
    if device.startswith("cuda"):
        local, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if device != "cuda":
            raise UsageError(f"--device {device} is one GPU for all processes; use --device cuda")
        if local >= there:
            raise UsageError(
                f"no GPU for process {local} of this machine, which has {there}; lower torchrun's"
                " --nproc-per-node"
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"  # waiting for process 0 over gloo keeps the GPU idle
    with lost():
        distributed.init_process_group(
            backend, store=store, rank=rank, world_size=size, timeout=PATIENCE
        )
    try:
        yield device
    except BaseException:
        # NCCL would wait here for the others for ever; the process ends anyway.
        if backend == "gloo":
            distributed.destroy_process_group()
        raise
    distributed.destroy_process_group()


def check_group(conditions: Conditions, size: int) -> None:
    """Raise `UsageError` if a batch cannot be divided equally among the processes."""
    batch, accumulate = conditions.batch, conditions.accumulate
    parts = size * accumulate
    if batch % parts:
        times = f", each in {accumulate} parts" if accumulate > 1 else ""
        raise UsageError(
            f"batch = {batch} cannot be divided among {size} processes{times}; add --set"
            f" batch={parts * max(1, round(batch / parts))}, or change the number of processes"
        )
