"""Optical flow of the pairs of a data set, for temporal consistency."""

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
KEPT = 20 * 2**30  #: largest cache of estimated flow, in bytes; larger flow is not cached at all


def flows_of(clips: Clips, kind: str, cache: Path | None = None) -> Flows:
    """Return a function from a pair of clips to its flow.

    Exact flow also marks as occluded the pixels read across a class edge (see `across_edges`).

    Args:
        clips: Clips of the data set.
        kind: One of `ESTIMATORS`, or `exact` if the data set knows its motion.
        cache: Folder for estimated flow; not used if all flow takes more than `KEPT` bytes.

    Raises:
        UsageError: If the kind is unknown. With `exact`, the returned function raises it too, for
            a pair without exact flow or without both label maps.
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
    picture = lru_cache(maxsize=2)(clips.picture)  # neighbouring pairs share an image

    def estimated(pair: Pair) -> FlowField:
        return estimate(kind, picture(pair[0]), picture(pair[1]), cache)

    return exact if kind == "exact" else estimated


def flow_bytes(clips: Clips, kind: str) -> int:
    """Return the size of the flow cache of all pairs in bytes, or 0 if flow is not cached.

    Both directions are stored, with four bytes per component.
    """
    if not clips.pairs or kind not in ESTIMATORS or kind == "zero":
        return 0
    height, width = clips.picture(clips.pairs[0][0]).shape[:2]
    size = len(clips.pairs) * 16 * height * width
    return size if size <= KEPT else 0


def across_edges(earlier: NDArray[np.uint8], later: NDArray[np.uint8], motion: Warp) -> Mask:
    """Return a mask (H, W) of the pixels read from at least one pixel of another true class.

    A label map holds the class at the centre of each pixel. With subpixel motion, a pixel lands
    between centres. Next to an edge, most of the four centres around that point may belong to the
    other side of the edge although the point does not. That is not an inconsistency of a
    prediction. The mask depends only on the ground truth, so every predictor is scored on the same
    pixels.
    """
    places = motion.everywhere
    return places.some(later.ravel()[places.pixel] != earlier.ravel()).reshape(earlier.shape)
