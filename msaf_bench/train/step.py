"""One training step: forward pass, loss and backward pass of a batch under the conditions.

Shapes: B clips in a batch, or in this process's share of it; T frames, C channels, H W image.
"""

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from msaf_bench.architectures.network import ExtractingNetwork, VideoNetwork
from msaf_bench.components.whole_batch import Gather
from msaf_bench.errors import HostError, text_of
from msaf_bench.ports import Output
from msaf_bench.spec import Conditions
from msaf_bench.train.arithmetic import Determinism, arithmetic
from msaf_bench.train.batches import Inputs
from msaf_bench.train.parallel import ALONE, ProcessGroup, lost
from msaf_bench.train.parts import Parts, Seed, parts_of, unasked
from msaf_bench.train.recompute import recomputed
from msaf_bench.train.sync_norm import synchronised

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Objective(nn.Module):
    """A network and its loss as one function: inputs (B, ...) and labels (B, H, W) -> loss."""

    def __init__(self, net: VideoNetwork, *, compiled: bool) -> None:
        super().__init__()
        self.net = net
        self.watched = False  #: hooks are in use, and compiled code would not call them
        ways: Sequence[Callable[..., Output]] = [net.forward]
        if isinstance(net, ExtractingNetwork):
            ways = [net.forward, net.from_features]
        self.compiled = [_compiled(way) for way in ways] if compiled else []

    def forward(self, inputs: Inputs, labels: Tensor) -> Tensor:
        return self.net.loss(self._output(inputs, labels), labels)

    def _output(self, inputs: Inputs, labels: Tensor) -> Output:
        fast = self.compiled and not self.watched
        if isinstance(inputs, Tensor):
            return self.compiled[0](inputs) if fast else self.net(inputs)
        assert isinstance(self.net, ExtractingNetwork)
        run = self.compiled[1] if fast else self.net.from_features
        return run(inputs, labels)


class Learner:
    """Computes the gradients of a network under conditions; made by `prepared`."""

    def __init__(self, net: VideoNetwork, conditions: Conditions, group: ProcessGroup) -> None:
        self.net, self.conditions, self.group = net, conditions, group
        self.device = next(net.parameters()).device
        self.objective = Objective(net, compiled=conditions.compile)
        self.run = _shared(self.objective, self.device) if group.size > 1 else self.objective
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=conditions.precision == "fp16")
        self.determinism = ""  #: extent to which equal seeds give equal numbers

    def gradients(self, inputs: Inputs, labels: Tensor, seed: Seed = int) -> Tensor:
        """Store the gradients of the whole batch in the weights, times the scale of `scaler`.

        `inputs` (B, ...) and `labels` (B, H, W) are this process's share of the batch. Returns the
        mean loss of its parts; the mean over the processes is the loss of the whole batch.
        """
        inputs = _laid_out(inputs, channels_last=self.conditions.channels_last)
        count = self.conditions.accumulate
        if count == self.group.size == 1:
            torch.manual_seed(seed(0))
            return self._backward(inputs, labels)
        parts = parts_of(inputs, labels, count, self.group, seed)
        answers = self._answers(parts)
        losses = list[Tensor]()
        for number in range(count):
            apart = number + 1 < count
            with self._unsynchronised(apart=apart), parts.part(number, answers()) as part:
                losses.append(self._backward(*part, share=count))
        return torch.stack(losses).mean()

    def _answers(self, parts: Parts) -> Callable[[], Gather]:
        """Return a factory of functions that give a part's loss the whole-batch tensors it reads.

        If a process has several parts and the loss reads the whole batch, all parts run once
        beforehand.
        """
        if len(parts.own) == 1:
            return lambda: self.group.gathered
        if not self.net.batchwise_loss:
            return lambda: unasked
        before = [(buffer, buffer.clone()) for buffer in self.net.buffers()]
        with lost():
            known = parts.counted(self._loss)
        for buffer, held in before:
            buffer.copy_(held)

        def answer() -> Gather:
            answers = iter(known)
            return lambda x: next(answers)

        return answer

    def _unsynchronised(self, *, apart: bool) -> AbstractContextManager[None]:
        if apart and isinstance(self.run, DistributedDataParallel):
            return cast("AbstractContextManager[None]", self.run.no_sync())
        return nullcontext()

    def _loss(self, inputs: Inputs, labels: Tensor) -> Tensor:
        run = self.run if torch.is_grad_enabled() else self.objective
        half = AUTOCAST.get(self.conditions.precision)
        with torch.autocast(self.device.type, half) if half else nullcontext():
            return run(inputs, labels)

    def _backward(self, inputs: Inputs, labels: Tensor, share: int = 1) -> Tensor:
        with lost():
            loss = self._loss(inputs, labels)
            scaled = self.scaler.scale(loss)
            (scaled if share == 1 else scaled / share).backward()
        return loss.detach()


@contextmanager
def prepared(
    net: VideoNetwork, conditions: Conditions, group: ProcessGroup = ALONE
) -> Generator[Learner]:
    """Prepare a network on its device for training under conditions, and undo it afterwards.

    A frozen backbone must already have `requires_grad` False.
    """
    device = next(net.parameters()).device.type
    with ExitStack() as stack:
        determinism: Determinism = stack.enter_context(arithmetic(conditions, device))
        if conditions.channels_last:
            laid_out = cast("Callable[..., object]", net.to)  # the stub lacks `memory_format`
            laid_out(memory_format=torch.channels_last)
            stack.callback(laid_out, memory_format=torch.contiguous_format)
        if group.size > 1:
            stack.enter_context(synchronised(net))
        if conditions.checkpoint_activations:
            stack.enter_context(recomputed(net))
        if conditions.compile:
            stack.callback(torch.compiler.reset)
        learner = Learner(net, conditions, group)
        yield learner
        learner.determinism = determinism.text()


def _shared(objective: nn.Module, device: torch.device) -> nn.Module:
    """Return the objective wrapped for a group of processes that exchange its gradients."""
    with lost(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
        return DistributedDataParallel(
            objective,
            device_ids=[device] if device.type == "cuda" else None,
            broadcast_buffers=False,  # batch norm is synchronised; other buffers are constant
            find_unused_parameters=True,  # some systems alternate between sub-networks
        )


def _laid_out(inputs: Inputs, *, channels_last: bool) -> Inputs:
    """Return frames (B, T, 3, H, W) or features (B, C, H, W) in the memory layout of the network.

    The slices of each frame have that layout too.
    """
    if not channels_last:
        return inputs
    if isinstance(inputs, Tensor):
        return inputs.movedim(-3, -1).contiguous().movedim(-1, -3)
    return tuple(
        x.movedim(-3, -1).contiguous().movedim(-1, -3) if x.ndim > 3 else x for x in inputs
    )


def _compiled(run: Callable[..., Output]) -> Callable[..., Output]:
    compiled = torch.compile(run)

    def call(*inputs: object) -> Output:
        try:
            return compiled(*inputs)
        except Exception as error:
            if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            said = text_of(error).partition(" Set TORCHDYNAMO_VERBOSE")[0]
            raise HostError(
                f"torch.compile: {said}; fix this, or add --set compile=false"
            ) from error

    return call
