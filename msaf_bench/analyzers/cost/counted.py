"""Cost of a system or any module, counted by formulas and by three other counters."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from torch import nn

from msaf_bench.analyzers.cost.check import Counted, check_counts, check_known, count_network
from msaf_bench.analyzers.cost.formulas import CONVENTION
from msaf_bench.analyzers.cost.system import (
    NetworkCost,
    clip_shape,
    empty_network,
    module_cost,
    without_content,
)
from msaf_bench.catalog import read_system
from msaf_bench.errors import UsageError, one_of
from msaf_bench.foreign import to_stderr
from msaf_bench.spec import MODES, System


@dataclass(frozen=True)
class CountedCost:
    """Cost of one network at one size, with the results of other counters."""

    name: str
    size: tuple[int, int]  #: H, W of a frame
    num_classes: int | None  #: None for a module given by the caller
    mode: str
    cost: NetworkCost
    counters: Mapping[str, Counted]  #: empty if only the formulas were requested

    @property
    def params(self) -> int:
        """Number of parameters."""
        return self.cost.total_params

    @property
    def macs(self) -> int:
        """MACs per clip, or per cycle of a stream."""
        return self.cost.total_macs

    @property
    def gmacs(self) -> float:
        """10⁹ MACs per clip, or per frame of a stream (mean over its cycle)."""
        return self.cost.total_macs / len(self.cost.phases) / 1e9

    @property
    def gflops(self) -> float:
        """Twice `gmacs`."""
        return 2 * self.cost.total_macs / len(self.cost.phases) / 1e9

    def document(self) -> dict[str, object]:
        """Return the output of `flops --system --json`."""
        cost = self.cost
        counters = {name: c._asdict() | {"difference": c.difference} for name, c in self._counted()}
        return {
            "system": self.name,
            "size": list(self.size),
            "classes": self.num_classes,
            "mode": self.mode,
            "frames": cost.frames,
            "cycle": len(cost.phases),
            "params": cost.total_params,
            "gmacs": self.gmacs,
            "gflops": self.gflops,
            "frame_macs": list(cost.phases),
            "macs": cost.total_macs,
            "operators": cost.by_operator,
            "parts": {
                part: {
                    "params": cost.params[part],
                    "macs": sum(macs.values()),
                    "elementwise": cost.elementwise[part],
                    "operators": macs,
                }
                for part, macs in cost.macs.items()
            },
            "elementwise": {"operations": cost.total_elementwise, "convention": CONVENTION},
            "activations": {
                "bytes": cost.activation_bytes,
                "live_bytes": cost.live_bytes,
                "dtype": "float32",
                "batch": 1,
            },
            "counters": {"unit": "MAC", "analytic": cost.total_macs, **counters},
            "uncounted": [
                {"operator": op, "share_of_output": share} for op, share in cost.uncounted.items()
            ],
            "outside": list(cost.outside),
        }

    def _counted(self) -> Iterable[tuple[str, Counted]]:
        return self.counters.items()


def cost(
    net_or_name: System | str | nn.Module,
    size: tuple[int, int],
    *,
    mode: str = "clip",
    num_classes: int = 19,
    frames: int | None = None,
    plugins: Iterable[str] = (),
    counters: bool = True,
    allow_uncounted: bool = False,
    on_note: Callable[[str], None] = lambda text: None,
) -> CountedCost:
    """Return the parameters, MACs and activation memory of one inference in fp32, batch 1.

        found = mb.cost("msaf-r18", (512, 1024))
        found.params, found.gmacs
        mb.cost(torchvision.models.segmentation.fcn_resnet50(), (512, 1024))

    No weight and no activation is allocated, except for fvcore, which computes at up to 64x64.

    Args:
        net_or_name: A system, its name or .toml file, or a module. A module is not changed.
        size: H, W of a frame.
        mode: clip: `net(clip)`, all frames computed; stream: all frames of one cycle of
            `net.stream()`, with a full history.
        num_classes: Number of classes of a system; ignored for a module.
        frames: Number of frames T of a module's input (1, T, 3, H, W). Defaults to its attribute
            `frames`; without it, the input is one image (1, 3, H, W).
        plugins: Modules with `register(registry)`, for systems that use their components.
        counters: Also count with torch, ptflops and fvcore.
        allow_uncounted: List operators without a formula in `cost.uncounted` instead of failing.
        on_note: Called with one line before the counters start.

    Raises:
        UsageError: If a system, mode or component is unknown, or the size is too large to count.
        GateError: If the network does not run on meta tensors, uses operators without a formula,
            or a counter disagrees.
    """
    one_of("mode", mode, MODES)
    if isinstance(net_or_name, nn.Module):
        name, classes = type(net_or_name).__name__, None
        make = partial(without_content, net_or_name)
        shape = _module_shape(net_or_name, size, frames)
        if mode == "stream" and not hasattr(net_or_name, "stream"):
            raise UsageError(f"mode 'stream': {name} has no method stream(); use mode 'clip'")
    else:
        system = read_system(net_or_name) if isinstance(net_or_name, str) else net_or_name
        name, classes = system.name, num_classes
        make = partial(empty_network, system, num_classes, plugins=tuple(plugins))
        shape = clip_shape(make(), size)
    with to_stderr():
        counted: dict[str, Counted] = {}
        analytic = module_cost(make(), shape, mode=mode)
        if not allow_uncounted:
            check_known(analytic)
        if counters:
            on_note(f"{name}: counting with torch, ptflops and fvcore")
            counted = count_network(make, shape, mode, analytic)
            check_counts(make, shape, mode, counted)
    return CountedCost(name, size, classes, mode, analytic, counted)


def _module_shape(net: nn.Module, size: tuple[int, int], frames: int | None) -> tuple[int, ...]:
    read = frames if frames is not None else getattr(net, "frames", None)
    return (1, 3, *size) if read is None else (1, read, 3, *size)
