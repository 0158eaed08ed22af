"""Cost of a network: parameters, MACs by part and operator, elementwise operations, memory.

A part is a child of the network, such as `backbone` or `motion`.

Shapes: B batch, T frames, H W image.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from msaf_bench.analyzers.cost.counters import torch_counter
from msaf_bench.analyzers.cost.tally import KINDS, Operator, Tally, without_content
from msaf_bench.architectures import build
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.errors import BenchError, GateError, UsageError, host_fault, one_of, text_of
from msaf_bench.ports import Stream
from msaf_bench.spec import MODES, System

OUTSIDE = "(rest)"  #: label of operators that the network runs outside its parts
BLIND_SHARE = 0.001  #: largest share of all output elements by one operator without a formula


@dataclass(frozen=True)
class NetworkCost:
    """Cost of one inference in fp32: one clip, or all frames of one cycle of a stream.

    Nothing is counted twice.
    """

    frames: int  #: frames per clip; in a stream one is new, and the features of the others are kept
    #: MACs of each frame of a stream's cycle, key frame first; a single value for a clip
    phases: tuple[int, ...]
    params: Mapping[str, int]  #: parameters by part; a shared parameter belongs to the first part
    macs: Mapping[str, Mapping[str, int]]  #: MACs by part, by kind of operator
    elementwise: Mapping[str, int]  #: elementwise operations by part (`formulas.CONVENTION`)
    activation_bytes: int  #: bytes of all outputs of operators
    #: peak bytes of outputs in use at once, without weights, input and workspace of kernels
    live_bytes: int
    #: operators without a formula -> their share of all output elements
    uncounted: Mapping[str, float]
    outside: tuple[str, ...]  #: computations outside torch that parts declare in `uncounted`

    @property
    def total_params(self) -> int:
        """Number of parameters."""
        return sum(self.params.values())

    @property
    def total_macs(self) -> int:
        """MACs of all parts and operators."""
        return sum(self.by_operator.values())

    @property
    def total_elementwise(self) -> int:
        """Elementwise operations of all parts."""
        return sum(self.elementwise.values())

    @property
    def by_operator(self) -> dict[str, int]:
        """MACs by kind of operator."""
        return {kind: sum(part[kind] for part in self.macs.values()) for kind in KINDS}

    @property
    def blind_spots(self) -> dict[str, float]:
        """Operators of `uncounted` with more than `BLIND_SHARE` of all output elements."""
        return {name: share for name, share in self.uncounted.items() if share > BLIND_SHARE}


def system_cost(
    system: System | str,
    num_classes: int,
    size: tuple[int, int],
    *,
    mode: str = "clip",
    plugins: Iterable[str] = (),
) -> NetworkCost:
    """Return the cost of a system; no weight and no activation is allocated.

    Args:
        system: A system, its name or .toml file.
        num_classes: Number of classes.
        size: H, W of a frame.
        mode: clip: `net(clip)`; stream: one cycle of `step(frame)`, with a full history.
        plugins: Modules with `register(registry)`.

    Raises:
        UsageError: If the system cannot be built or the size is too large.
        GateError: If the system cannot be counted.
    """
    net = empty_network(system, num_classes, plugins=plugins)
    return _cost(net, clip_shape(net, size), mode)


def module_cost(net: nn.Module, shape: tuple[int, ...], *, mode: str = "clip") -> NetworkCost:
    """Return the cost of any network for one input of that shape; a stream needs (B, T, 3, H, W).

    The network is not changed.
    """
    return _cost(without_content(net), shape, mode)


def empty_network(
    system: System | str, num_classes: int, *, plugins: Iterable[str] = ()
) -> VideoNetwork:
    """Build the network of a system on the meta device, in evaluation mode."""
    with torch.random.fork_rng(devices=()), torch.device("meta"):
        return build(system, num_classes, plugins=plugins).eval()


def clip_shape(net: nn.Module, size: tuple[int, int]) -> tuple[int, ...]:
    """Return (1, T, 3, H, W), with T from the network's attribute `frames`, or 3 without it."""
    return (1, getattr(net, "frames", 3), 3, *size)


class Inference(nn.Module):
    """One inference as a module with one input: `net(clip)`, or a cycle of `step(frame)`.

    A stream starts with a full history. `forward` returns the outputs and the state of the stream,
    or tracing counters would prune the computation of the state.
    """

    def __init__(self, net: nn.Module, clip: Tensor, mode: str) -> None:
        super().__init__()
        self.net, self.x = net, clip
        self.stream: Stream | None = None
        self.calls: Sequence[Callable[[Tensor], object]] = [net]
        if one_of("mode", mode, MODES) == "stream":
            self.stream = cast("VideoNetwork", net).stream()
            self.x, self.calls = clip[:, -1], [self.stream.step] * self.stream.cycle
            # run whole cycles, so that the next frame begins a cycle
            for _ in range(-(-clip.shape[1] // self.stream.cycle) * self.stream.cycle):
                self.stream.step(self.x)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        given = [call(x) for call in self.calls]
        kept = vars(self.stream) if self.stream else {}
        return tuple(leaf for leaf in tree_leaves((given, kept)) if isinstance(leaf, Tensor))


def tally(
    net: nn.Module, shape: tuple[int, ...], mode: str, witness: Callable[[], int] | None = None
) -> Tally:
    """Record every operator of one inference on meta tensors.

    Args:
        net: Network on the meta device.
        shape: Shape of the input, (..., H, W).
        mode: clip or stream.
        witness: Returns the total MACs so far by another counter, for `Operator.witnessed`.

    Raises:
        GateError: If the network cannot run on meta tensors.
        UsageError: If the size is too large even for meta tensors.
    """
    one_of("mode", mode, MODES)
    sheet = Tally(net, witness)
    try:
        with torch.inference_mode(), sheet.places():
            inference = Inference(net, torch.empty(shape, device="meta"), mode)
            with sheet:
                for call in inference.calls:
                    call(inference.x)  # drop the output at once, as a viewer of a video would
                    sheet.end_step()
    except BenchError:
        raise
    except Exception as error:
        if host_fault(error):
            raise
        said = text_of(error)
        place = f"{sheet.path}: " if sheet.path else ""
        grid = "x".join(map(str, shape[-2:]))
        if "overflow" in said:
            raise UsageError(
                f"{grid} is too large even for meta tensors; give a smaller size"
            ) from error
        raise GateError(
            f"{place}cannot run at {grid} on meta tensors, so nothing is counted: {said}"
        ) from error
    return sheet


def first_difference(net: nn.Module, shape: tuple[int, ...], mode: str) -> Operator | None:
    """Return the first operator with different MACs by torch and by the formulas, or None."""
    with torch_counter() as counter:
        operators = tally(net, shape, mode, lambda: counter.get_total_flops() // 2).operators
    return next((op for op in operators if op.witnessed != op.macs), None)


def _cost(net: nn.Module, shape: tuple[int, ...], mode: str) -> NetworkCost:
    sheet = tally(net, shape, mode)
    parts = dict.fromkeys((*(name for name, _ in net.named_children()), OUTSIDE))
    part_of = partial(_part, parts=parts)
    params, elementwise = Counter[str](), Counter[str]()
    macs = {name: dict.fromkeys(KINDS, 0) for name in parts}
    unknown = Counter[str]()
    for name, count in parameters_of(net).items():
        params[part_of(name)] += count
    for op in sheet.operators:
        part = part_of(op.path)
        elementwise[part] += op.elementwise
        if op.kind:
            macs[part][op.kind] += op.macs
        if not op.known:
            unknown[op.name] += op.elements
    elements = sum(op.elements for op in sheet.operators)
    return NetworkCost(
        frames=shape[1] if len(shape) == 5 else 1,
        params={part: params[part] for part in parts},
        macs=macs,
        elementwise={part: elementwise[part] for part in parts},
        activation_bytes=sheet.made_bytes,
        live_bytes=sheet.live_bytes,
        uncounted={name: count / elements for name, count in unknown.items()},
        phases=tuple(
            sum(op.macs for op in sheet.operators[a:b]) for a, b in pairwise((0, *sheet.steps))
        ),
        outside=outside_of(net),
    )


def parameters_of(net: nn.Module) -> dict[str, int]:
    """Return the number of elements by parameter name, without parts used only in training."""
    return {name: p.numel() for name, p in net.named_parameters() if _infers(net, name)}


def outside_of(net: nn.Module) -> tuple[str, ...]:
    """Return the computations outside torch that parts declare, such as flow by OpenCV."""
    modules: dict[str, Any] = dict(net.named_modules())  # pyright: ignore
    return tuple(
        sorted(
            {
                m.uncounted
                for name, m in modules.items()
                if _infers(net, name) and hasattr(m, "uncounted")
            }
        )
    )


def _infers(net: nn.Module, path: str) -> bool:
    return path.partition(".")[0] not in getattr(net, "training_only", ())


def _part(path: str, parts: Mapping[str, None]) -> str:
    first = path.partition(".")[0]
    return first if first in parts else OUTSIDE
