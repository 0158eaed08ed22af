"""Whole networks, and `build`, which makes one from a system."""

from collections.abc import Iterable

from msaf_bench.architectures import (
    accel,
    dff,
    efc,
    etc,
    grfp,
    lma,
    lvs,
    mc,
    msaf,
    netwarp,
    pc,
    pearl,
    single_frame,
    stt,
    tdnet,
    tmanet,
)
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.catalog import read_system
from msaf_bench.components import slots
from msaf_bench.data import Readers
from msaf_bench.errors import UsageError
from msaf_bench.registry import Registry
from msaf_bench.spec import System


def builtin() -> Registry:
    """Return a new registry of all architectures and components of this package."""
    architecture = {
        "accel": accel.ARCHITECTURE,
        "dff": dff.ARCHITECTURE,
        "efc": efc.ARCHITECTURE,
        "etc": etc.ARCHITECTURE,
        "grfp": grfp.ARCHITECTURE,
        "lma": lma.ARCHITECTURE,
        "lvs": lvs.ARCHITECTURE,
        "mc": mc.ARCHITECTURE,
        "msaf": msaf.ARCHITECTURE,
        "netwarp": netwarp.ARCHITECTURE,
        "pc": pc.ARCHITECTURE,
        "pearl": pearl.ARCHITECTURE,
        "single-frame": single_frame.ARCHITECTURE,
        "stt": stt.ARCHITECTURE,
        "tdnet": tdnet.ARCHITECTURE,
        "tmanet": tmanet.ARCHITECTURE,
    }
    return Registry(architecture, slots(), VideoNetwork)


def readers_of(plugins: Iterable[str]) -> Readers:
    """Return the data sets provided by plug-ins, by name."""
    return builtin().extend(plugins).data


def build(system: System | str, num_classes: int, *, plugins: Iterable[str] = ()) -> VideoNetwork:
    """Build the network of a system, or of a name in `models/`, with random weights.

    Raises `UsageError` if a name, component or option is unknown.
    """
    system = read_system(system) if isinstance(system, str) else system
    if num_classes < 1:
        raise UsageError(f"num_classes = {num_classes}; give at least 1")
    registry = builtin().extend(plugins)
    registry.check(system)
    return registry.build(system, num_classes)
