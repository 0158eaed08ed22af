"""The flow of a data set's pairs, for temporal consistency."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.consistency.warping import Mask, Warp
from msaf_bench.data.clips import Clips
from msaf_bench.data.flow import FlowField
from msaf_bench.data.flow.estimators import ESTIMATORS, estimate
from msaf_bench.errors import UsageError, one_of

Pair = tuple[int, int]
Flows = Callable[[Pair], FlowField]
KEPT = 20 * 2**30  #: bytes of estimated flow that are kept; more is estimated anew each time


def flows_of(clips: Clips, kind: str, cache: Path | None = None) -> Flows:
    """What gives the flow of a pair of clips: `exact`, where the data set knows it, or one of
    `ESTIMATORS`, cached in a folder if all of it takes at most `KEPT` bytes there.

    Exact flow counts as hidden also what is read across the edge of a true class (see
    `across_edges`). Raises `UsageError` for an unknown kind, and on a pair whose exact flow is not
    known or one of whose clips has no label map.
    """
    one_of("flow", kind, ("exact", *ESTIMATORS))

    def exact(pair: Pair) -> FlowField:
        flow = clips.exact_flow(pair)
        if flow is None:
            raise UsageError("flow exact: this data set does not know its motion; use flow dis")
        if max(pair) >= len(clips):
            raise UsageError("flow exact: needs the label maps of both frames; use flow dis")
        earlier, later = (clips[i].label for i in pair)
        edges = across_edges(earlier, later, Warp(flow))
        return flow._replace(occluded=edges if flow.occluded is None else edges | flow.occluded)

    if cache is not None and not flow_bytes(clips, kind):
        cache = None
    picture = lru_cache(maxsize=2)(clips.picture)  # neighbouring pairs share one

    def estimated(pair: Pair) -> FlowField:
        return estimate(kind, picture(pair[0]), picture(pair[1]), cache)

    return exact if kind == "exact" else estimated


def flow_bytes(clips: Clips, kind: str) -> int:
    """Return what the estimated flow of all pairs takes in a folder: both ways, four bytes a
    component; 0 where it is not kept.
    """
    if not clips.pairs or kind not in ESTIMATORS or kind == "zero":
        return 0
    height, width = clips.picture(clips.pairs[0][0]).shape[:2]
    size = len(clips.pairs) * 16 * height * width
    return size if size <= KEPT else 0


def across_edges(earlier: NDArray[np.uint8], later: NDArray[np.uint8], motion: Warp) -> Mask:
    """Which pixels (H, W) are read from at least one pixel of another class, by the true label maps
    of both frames.

    A label map holds the class at each pixel's centre. Where motion is no whole number of pixels,
    the point on which a pixel lands lies between centres, and next to an edge the majority of the
    four centres around it may belong to the other side though the point does not. That is no
    inconsistency of a prediction. The rule reads the truth only: every predictor is scored on the
    same pixels.
    """
    places = motion.everywhere
    return places.some(later.ravel()[places.pixel] != earlier.ravel()).reshape(earlier.shape)
