"""Pulse of a trained network: the effect of each part on the result.

Shapes: N images, K classes, H W label map.
"""

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from torch import nn

from msaf_bench.analyzers.miou import confusion_matrix, miou
from msaf_bench.analyzers.scoring import predictions
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data.clips import Clips
from msaf_bench.liveness import Supply, complaint
from msaf_bench.ports import Reader
from msaf_bench.records import PAST, Pulse
from msaf_bench.vitals import gauges_of, parts_of, reading, silenced

CLIPS = 32  #: largest number of clips for the pulse, spread evenly over the scored split
UNUSED = "nothing of it runs and no gradient reaches it"


def pulse_clips(clips: Clips) -> list[int]:
    """Return the indices of the clips used for the pulse."""
    count = min(CLIPS, len(clips))
    return sorted({i * len(clips) // count for i in range(count)})


def pulses(
    net: VideoNetwork,
    clips: Clips,
    read: Reader,
    supply: Mapping[str, Supply],
    *,
    extracted: bool = False,
) -> tuple[Pulse, ...]:
    """Return the pulse of every part of a network, and of past frames if it reads several.

    Each part is silenced in turn, and the change of the predictions is measured. `changed` stays
    None for two kinds of parts. One kind decides between paths through the network
    (`net.deciding`): silencing it has no effect unless the decision changes. The other kind runs
    no module.

    Args:
        net: Network in evaluation mode.
        clips: Clips of the scored split.
        read: Returns logits for clips.
        supply: Gradient of each part at the end of training.
        extracted: `read` starts from features of a frozen backbone, so the backbone has no pulse.
    """
    parts = {
        name: modules
        for name, modules in parts_of(net).items()
        if not (extracted and name == "backbone")
    }
    chosen = pulse_clips(clips)
    with reading(parts) as listener:
        normal, truths = zip(*predictions(read, clips, chosen), strict=True)
    classes = len(clips.classes)
    gauges, deciding = gauges_of(listener), net.deciding
    found: list[Pulse] = []
    for name, modules in parts.items():
        without = None if name in deciding else _silent(read, clips, chosen, modules)
        pulse = _pulse(
            name, normal, without, truths, classes, gauges.get(name, {}), supply.get(name)
        )
        unused = without is None and name not in (*deciding, *supply, *gauges) and _learns(modules)
        # Without any supply, a part cannot be called unused in training.
        found.append(
            pulse.model_copy(update={"live": False, "reason": UNUSED})
            if supply and unused
            else pulse
        )
    # A function shared by several parts has gauges under its own name.
    found += [
        _pulse(name, normal, None, truths, classes, own, None)
        for name, own in gauges.items()
        if name and name not in parts
    ]
    if net.frames > 1:
        found.append(
            _pulse(
                PAST,
                normal,
                [predicted for predicted, _ in predictions(read, clips, chosen, still=True)],
                truths,
                classes,
                {},
                None,
            )
        )
    return tuple(found)


def _learns(modules: Sequence[nn.Module]) -> bool:
    return any(p.requires_grad for module in modules for p in module.parameters())


def _silent(
    read: Reader, clips: Clips, chosen: Sequence[int], modules: Sequence[nn.Module]
) -> list[NDArray[np.uint8]] | None:
    """Return the predictions with a part silenced, or None if the part runs no module."""
    with silenced(modules) as places:
        maps = [predicted for predicted, _ in predictions(read, clips, chosen)]
    return maps if places else None


def _pulse(
    name: str,
    normal: Sequence[NDArray[np.uint8]],
    without: Sequence[NDArray[np.uint8]] | None,
    truths: Sequence[NDArray[np.uint8]],
    classes: int,
    gauges: Mapping[str, float],
    supply: Supply | None,
) -> Pulse:
    changed = lost = None
    if without is not None:
        changed = 100 * float(
            np.mean([(a != b).mean() for a, b in zip(normal, without, strict=True)])
        )
        one, other = (
            miou(
                np.sum(
                    [confusion_matrix(t, p, classes) for t, p in zip(truths, maps, strict=True)], 0
                )
            )
            for maps in (normal, without)
        )
        # mIoU is NaN if every pixel of the ground truth is void
        lost = one - other if isfinite(one) and isfinite(other) else None
    reason = complaint(gauges, supply, changed)
    return Pulse(
        part=name,
        live=not reason,
        reason=reason,
        gradient=supply and supply.relative,
        silent=supply and supply.silent,
        changed=changed,
        miou=lost,
        gauges=tuple(sorted((gauge, value) for gauge, value in gauges.items() if isfinite(value))),
    )
