"""Whole networks, and `build`, which makes one from a system."""

from collections.abc import Iterable

from torch import nn

from msaf_bench.architectures import msaf, single_frame
from msaf_bench.catalog import read_system
from msaf_bench.components import slots
from msaf_bench.errors import UsageError
from msaf_bench.registry import Architecture, Registry
from msaf_bench.spec import System


def builtin() -> Registry:
    """A fresh registry of everything in this package."""
    architectures = {
        "msaf": Architecture(msaf.SLOTS, msaf.msaf),
        "single-frame": Architecture(single_frame.SLOTS, single_frame.single_frame),
    }
    return Registry(architecture=architectures, **slots())


def build(system: System | str, num_classes: int, *, plugins: Iterable[str] = ()) -> nn.Module:
    """The network of a system, or of the one that `models/` has under that name, with random weights.

    It follows `msaf_bench.ports.Network`. Raises `UsageError` for an unknown name, component or option.
    """
    system = read_system(system) if isinstance(system, str) else system
    if num_classes < 1:
        raise UsageError(f"num_classes = {num_classes}; give at least 1")
    registry = builtin().extend(plugins)
    registry.check(system)
    return registry.build(system, num_classes)
