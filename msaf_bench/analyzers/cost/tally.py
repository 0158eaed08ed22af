"""Record of every operator of a network on meta tensors: module, MACs, elementwise, output size."""

import copy
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.hooks import RemovableHandle

from msaf_bench.analyzers.cost.formulas import ELEMENTWISE, PRODUCTS
from msaf_bench.components.align import DeformableAlign
from msaf_bench.components.blocks.deeplab import Deformable

DEFORMABLE = "deformable product"
#: kinds of operators that multiply matrices
KINDS: tuple[str, ...] = ("convolution", "linear", "attention", DEFORMABLE, "matmul")


class Operator(NamedTuple):
    """One call of an operator."""

    path: str  #: path of the calling module, "" for the network itself
    name: str
    shapes: tuple[tuple[int, ...], ...]  #: shapes of its tensor arguments
    kind: str  #: one of `KINDS`, or ""
    macs: int
    elementwise: int
    elements: int  #: number of output elements; 0 for a view
    known: bool  #: whether it has a formula
    witnessed: int | None  #: MACs by another counter; None without one


class Tally(TorchDispatchMode):
    """Dispatch mode that records every operator while it is active.

    In inference mode, operators arrive undecomposed: `linear`, `conv2d`, attention.
    """

    def __init__(self, net: nn.Module, witness: Callable[[], int] | None = None) -> None:
        super().__init__()
        self.operators: list[Operator] = []
        self.made_bytes = 0  #: bytes of all storage that operators created
        self.live_bytes = 0  #: peak bytes of that storage in use at once
        self.steps: list[int] = []  #: number of operators at the end of each frame
        self._live = 0
        self._witness = witness
        self._inside: list[tuple[str, nn.Module]] = [("", net)]
        self._modules: dict[str, nn.Module] = dict(net.named_modules())  # pyright: ignore

    @property
    def path(self) -> str:
        """Path of the module that is running."""
        return self._inside[-1][0]

    def end_step(self) -> None:
        """Mark the end of a frame."""
        self.steps.append(len(self.operators))

    def __torch_dispatch__(
        self,
        func: Any,
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        packet = func.overloadpacket
        if packet not in PRODUCTS and packet not in ELEMENTWISE:
            with self:
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        before = self._witness() if self._witness else 0
        out = func(*args, **kwargs)
        made = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
        if made:
            witnessed = self._witness() - before if self._witness else None
            self.operators.append(self._operator(func, args, made, witnessed))
            self._keep(made, args, kwargs)
        return out

    def _operator(
        self, func: Any, args: tuple[object, ...], made: list[Tensor], witnessed: int | None
    ) -> Operator:
        packet, out = func.overloadpacket, made[0].shape
        shaped = tree_map(_shape, args)
        product = PRODUCTS.get(packet)
        kind, macs = (product.kind, product.macs(shaped, out)) if product else ("", 0)
        if kind == "matmul" and isinstance(self._inside[-1][1], DeformableAlign | Deformable):
            kind = DEFORMABLE
        pointwise = torch.Tag.pointwise in func.tags
        elements = 0 if func.is_view else sum(t.numel() for t in made)
        if product:
            elementwise = product.elementwise(shaped, out)
        elif packet in ELEMENTWISE:
            elementwise = ELEMENTWISE[packet](shaped, out)
        else:
            elementwise = elements if pointwise else 0
        known = bool(product) or packet in ELEMENTWISE or pointwise or func.is_view
        shapes = tuple(tuple(t.shape) for t in tree_leaves(args) if isinstance(t, Tensor))
        return Operator(
            self.path, str(packet), shapes, kind, macs, elementwise, elements, known, witnessed
        )

    def _keep(self, made: list[Tensor], args: object, kwargs: Mapping[str, object]) -> None:
        # An output that shares the storage of an input (a view, or in place) takes no new memory.
        old = {
            id(t.untyped_storage())
            for t in tree_leaves((args, dict(kwargs)))
            if isinstance(t, Tensor)
        }
        for storage in {
            id(s): s for s in (t.untyped_storage() for t in made) if id(s) not in old
        }.values():
            size = storage.nbytes()
            self.made_bytes += size
            self._live += size
            weakref.finalize(storage, self._free, size).atexit = False
        self.live_bytes = max(self.live_bytes, self._live)

    def _free(self, size: int) -> None:
        self._live -= size

    @contextmanager
    def places(self) -> Generator[None]:
        """Track the running module of the network while the context is open."""
        hooks = [
            hook
            for path, module in self._modules.items()
            if path
            for hook in self._follow(path, module)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _follow(self, path: str, module: nn.Module) -> Iterator[RemovableHandle]:
        def enter(*_: object) -> None:
            self._inside.append((path, module))

        def leave(*_: object) -> None:
            self._inside.pop()

        yield module.register_forward_pre_hook(enter)
        yield module.register_forward_hook(leave)


def _shape(value: object) -> object:
    return tuple(value.shape) if isinstance(value, Tensor) else value


def without_content(net: nn.Module) -> nn.Module:
    """Return a copy on the meta device, in evaluation mode: shapes and structure, no weights.

    Shared tensors stay shared.
    """

    def empty(tensor: Tensor) -> Tensor:
        like = torch.empty_like(tensor, device="meta")
        return nn.Parameter(like, requires_grad=False) if isinstance(tensor, nn.Parameter) else like

    return copy.deepcopy(net, {id(t): empty(t) for t in (*net.parameters(), *net.buffers())}).eval()
