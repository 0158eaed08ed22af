"""Memory and floating-point operations of one training step, counted without computing it.

Forward and backward pass run on tensors without content (meta device). Shapes: B clips per forward
pass, T frames, H W image.
"""

import weakref
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten
from torch.utils.flop_counter import flop_registry

from msaf_bench.architectures import build
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.errors import BenchError, host_fault, text_of
from msaf_bench.spec import Conditions, System
from msaf_bench.train.batches import Inputs
from msaf_bench.train.features import frozen
from msaf_bench.train.half import LikeCuda
from msaf_bench.train.step import prepared

ADAMW = 2  #: AdamW's state, in multiples of the trained weights


@dataclass(frozen=True)
class StepSize:
    """Memory and operations of one process for a training step."""

    params: int
    state_bytes: int  #: weights, buffers, AdamW's state, moving average, gradient buckets
    peak_bytes: int  #: peak memory: state, inputs, activations, gradients
    #: FLOPs of matrix products and convolutions for the whole batch, over all processes: forward,
    #: backward and recomputation
    flops: int


class NotCountedError(BenchError):
    """A network cannot run on tensors without content; the message gives the reason."""


@cache
def step_size(
    system: System,
    conditions: Conditions,
    num_classes: int,
    processes: int = 1,
    plugins: tuple[str, ...] = (),
) -> StepSize:
    """Return the size of a training step for one of several processes.

    Attention is counted as in CUDA's fused kernels, without an attention map. Not counted:
    workspaces of kernels, memory of the driver, and savings of `compile`.

    Args:
        system: System to train.
        conditions: Conditions of the training.
        num_classes: Number of classes K.
        processes: Number of processes that share a batch.
        plugins: Modules with the system's components.

    Raises:
        NotCountedError: The network cannot run without content.
    """
    try:
        return _step_size(system, conditions, num_classes, processes, plugins)
    except Exception as error:
        if isinstance(error, BenchError) or host_fault(error):
            raise
        raise NotCountedError(
            f"{system.name} cannot run without content: {text_of(error)}"
        ) from error


def _step_size(
    system: System,
    conditions: Conditions,
    num_classes: int,
    processes: int,
    plugins: tuple[str, ...],
) -> StepSize:
    at_once = -(-conditions.batch // (processes * conditions.accumulate))
    # Precision is imitated by `LikeCuda`, and a part of a batch counts as a batch.
    own = {"batch": at_once, "accumulate": 1, "precision": "fp32", "compile": False}
    with torch.random.fork_rng(devices=()), torch.device("meta"):
        net = build(system, num_classes, plugins=plugins).train()
        inputs, labels = _batch(net, conditions.model_copy(update=own))
        learnt = [p for p in net.parameters() if p.requires_grad]
        if conditions.accumulate > 1:  # gradients of earlier parts are already in memory
            for weights in learnt:
                weights.grad = torch.empty_like(weights)
        held = [*net.parameters(), *net.buffers()]
        learnt_bytes = sum(p.nbytes for p in learnt)
        copies = (ADAMW + (conditions.ema > 0) + (processes > 1)) * learnt_bytes
        ledger = Ledger((*held, labels, *tree_leaves(inputs), *(p.grad for p in learnt)))
        with (
            prepared(net, conditions.model_copy(update=own)) as learner,
            LikeCuda(conditions.precision),
            ledger,
        ):
            learner.gradients(inputs, labels)
    return StepSize(
        params=sum(p.numel() for p in net.parameters()),
        state_bytes=sum(t.nbytes for t in held) + copies,
        peak_bytes=ledger.peak_bytes + copies,
        flops=ledger.flops * processes * conditions.accumulate,
    )


def _batch(net: VideoNetwork, conditions: Conditions) -> tuple[Inputs, Tensor]:
    """Return inputs and labels of a batch; freezes the backbone according to the conditions.

    The inputs are frames, or features if they would be stored.
    """
    sides = conditions.crop or conditions.size
    clip = torch.empty(conditions.batch, conditions.frames, 3, *sides)
    labels = torch.empty(conditions.batch, *sides, dtype=torch.long)
    if conditions.backbone_rate == 0:
        net.backbone.requires_grad_(False).eval()
        if conditions.draws and frozen(net, conditions):
            with torch.no_grad():
                return tuple(net.extract(clip)), labels
    return clip, labels


class Ledger(TorchDispatchMode):
    """Tracks the storage of tensors on the meta device: memory in use, and its peak.

    Equal calls of an operator run once; the results are shared by all ledgers.
    """

    _known: ClassVar[dict[Hashable, tuple[Any, list[Any], int]]] = {}

    def __init__(self, held: Iterable[Tensor | None]) -> None:
        super().__init__()
        self.peak_bytes = 0
        self.flops = 0
        self._live = 0
        self._followed: set[int] = set()
        self._follow(tensor for tensor in held if tensor is not None)

    def __torch_dispatch__(
        self,
        func: Any,
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func.is_view or func._schema.is_mutable:
            out = func(*args, **kwargs)
        else:
            out = self._made(func, args, kwargs)
        self._follow(leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor))
        return out

    def _made(self, func: Any, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Any:
        leaves, structure = tree_flatten((args, dict(kwargs)))
        key = (func, structure, *map(_layout, leaves))
        if key in self._known:
            structure, layouts, flops = self._known[key]
            self.flops += flops
            return tree_unflatten([_of_layout(layout) for layout in layouts], structure)
        out = func(*args, **kwargs)
        count = flop_registry.get(func.overloadpacket)
        flops = count(*args, **kwargs, out_val=out) if count else 0
        self.flops += flops
        made, structure = tree_flatten(out)
        given = {id(t.untyped_storage()) for t in leaves if isinstance(t, Tensor)}
        if all(_is_new(t, given) for t in made):
            self._known[key] = structure, [_layout(t) for t in made], flops
        return out

    def _follow(self, tensors: Iterable[Tensor]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            place = id(storage)
            if place in self._followed or not tensor.is_meta:
                continue
            size = storage.nbytes()
            self._followed.add(place)
            self._live += size
            weakref.finalize(storage, self._free, place, size).atexit = False
        self.peak_bytes = max(self.peak_bytes, self._live)

    def _free(self, place: int, size: int) -> None:
        self._followed.remove(place)
        self._live -= size


def _layout(value: object) -> Hashable:
    if not isinstance(value, Tensor):
        return type(value), value
    return Tensor, value.shape, value.stride(), value.dtype, value.device


def _of_layout(layout: Any) -> Any:
    kind, *rest = layout
    if kind is not Tensor:
        return rest[0]
    shape, stride, dtype, device = rest
    return torch.empty_strided(shape, stride, dtype=dtype, device=device)


def _is_new(value: object, given: set[int]) -> bool:
    """Return whether a value is a meta tensor with its own storage, or None."""
    if not isinstance(value, Tensor):
        return value is None
    return value.is_meta and id(value.untyped_storage()) not in given
