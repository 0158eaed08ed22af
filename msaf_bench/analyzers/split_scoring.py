"""A split scored in one pass: predicted maps are counted, compared with those of their neighbours,
and dropped. Shapes: N images, K classes.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from msaf_bench.analyzers.consistency.flows import flows_of
from msaf_bench.analyzers.consistency.scores import PresetScore, chains, consistency
from msaf_bench.analyzers.scoring import Labels, counted, score
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data.clips import Clips
from msaf_bench.matrices import SparseMatrices
from msaf_bench.ports import Reader
from msaf_bench.spec import Conditions


class SplitCounts(NamedTuple):
    """What is counted of a network's predictions on a split."""

    confusion: SparseMatrices  #: of each labelled clip
    #: the same with the newest frame repeated in place of the past; None for a network of one frame
    still: SparseMatrices | None
    consistency: tuple[PresetScore, ...]  #: none where the conditions name no flow


def score_split(
    net: VideoNetwork,
    clips: Clips,
    conditions: Conditions,
    read: Reader,
    *,
    flow_cache: Path | None = None,
    on_image: Callable[[int, Labels], None] = lambda i, m: None,
) -> SplitCounts:
    """Score a network on the clips of a split: accuracy, what the past adds to it where the network
    reads any, temporal consistency where the conditions name a flow.

    `read` gives logits for clips; `on_image` is given each labelled clip's index and predicted
    label map. `flow_cache` is a folder that keeps estimated flow. Raises `DataError` as
    `predictions` does, `UsageError` as `flows_of` does.
    """
    net.eval()
    if conditions.flow == "none":
        confusion, found = score(net, clips, on_image=on_image, read=read), ()
    else:
        confusion = SparseMatrices(len(clips.classes))
        predicted = counted(read, clips, scoring_order(clips), confusion, on_image=on_image)
        found = consistency(
            PassingMaps(predicted, Counter(i for video in chains(clips.pairs) for i in video)),
            TrueMaps(clips),
            clips.pairs,
            flows_of(clips, conditions.flow, flow_cache),
            conditions.consistency,
            len(clips.classes),
            unlabelled=range(len(clips), len(clips) + clips.unlabelled),
        )
        for _ in predicted:  # those that come after the last pair
            pass
    still = score(net, clips, still=True, read=read) if net.frames > 1 else None
    return SplitCounts(confusion, still, found)


class TrueMaps:
    """The true label maps of a split, read when they are asked for."""

    def __init__(self, clips: Clips) -> None:
        self._clips = clips

    def __getitem__(self, index: int) -> Labels:
        return self._clips[index].label


class PassingMaps:
    """Label maps that come one by one and may be asked for in another order. Each is kept from when
    it comes until it was asked for as often as `uses` says.
    """

    def __init__(self, maps: Iterator[tuple[int, Labels]], uses: Counter[int]) -> None:
        self._maps, self._left = maps, uses
        self._kept: dict[int, Labels] = {}

    def __getitem__(self, index: int) -> Labels:
        while index not in self._kept:
            come, labels = next(self._maps)
            if self._left[come]:
                self._kept[come] = labels
        self._left[index] -= 1
        return self._kept[index] if self._left[index] else self._kept.pop(index)


def scoring_order(clips: Clips) -> list[int]:
    """Return the clips of a split in the order in which they are predicted: the labelled ones as
    they are, each unlabelled one beside the labelled one that is nearest to it in their video.
    """
    labelled = range(len(clips))
    keys = {index: (index, 0) for index in labelled}
    for video in chains(clips.pairs):
        anchors = [place for place, index in enumerate(video) if index in labelled] or [0]
        for place, index in enumerate(video):
            if index not in labelled:
                nearest = min(anchors, key=lambda anchor: abs(place - anchor))
                keys[index] = video[nearest], place - nearest
    return sorted(keys, key=keys.__getitem__)
