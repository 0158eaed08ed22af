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
from msaf_bench.errors import UsageError
from msaf_bench.registry import Architecture, Registry
from msaf_bench.spec import System


def builtin() -> Registry:
    """A fresh registry of everything in this package."""
    architectures = {
        "msaf": Architecture(msaf.SLOTS, msaf.msaf),
        "etc": Architecture(etc.SLOTS, etc.etc),
        "pc": Architecture(pc.SLOTS, pc.pc),
        "lvs": Architecture(lvs.SLOTS, lvs.lvs),
        "pearl": Architecture(pearl.SLOTS, pearl.pearl),
        "stt": Architecture(stt.SLOTS, stt.stt),
        "dff": Architecture(dff.SLOTS, dff.dff),
        "accel": Architecture(accel.SLOTS, accel.accel),
        "single-frame": Architecture(single_frame.SLOTS, single_frame.single_frame),
        "tmanet": Architecture(tmanet.SLOTS, tmanet.tmanet),
        "lma": Architecture(lma.SLOTS, lma.lma),
        "mc": Architecture(mc.SLOTS, mc.mc),
        "tdnet": Architecture(tdnet.SLOTS, tdnet.tdnet),
        "netwarp": Architecture(netwarp.SLOTS, netwarp.netwarp),
        "grfp": Architecture(grfp.SLOTS, grfp.grfp),
        "efc": Architecture(efc.SLOTS, efc.efc),
    }
    return Registry(architecture=architectures, **slots())


def build(system: System | str, num_classes: int, *, plugins: Iterable[str] = ()) -> VideoNetwork:
    """Return the network of a system, or of the one that `models/` has under that name, with random
    weights. Raises `UsageError` for an unknown name, component or option.
    """
    system = read_system(system) if isinstance(system, str) else system
    if num_classes < 1:
        raise UsageError(f"num_classes = {num_classes}; give at least 1")
    registry = builtin().extend(plugins)
    registry.check(system)
    return registry.build(system, num_classes)
