"""A split scored in one pass: predicted maps are counted, compared with those of their neighbours,
and dropped. Shapes: N images, K classes.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
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
        order = scoring_order(clips)
        with closing(counted(read, clips, order, confusion, on_image=on_image)) as predicted:
            found = _consistency(predicted, clips, conditions, flow_cache)
            for _ in predicted:  # those that come after the last pair
                pass
    still = score(net, clips, still=True, read=read) if net.frames > 1 else None
    return SplitCounts(confusion, still, found)


class PassingMaps:
    """Predicted label maps that come one by one with the true ones, and may be asked for in another
    order. Each is kept from when it comes until it was asked for as often as `uses` says.
    """

    def __init__(self, maps: Iterator[tuple[int, Labels, Labels]], uses: Counter[int]) -> None:
        self.truths: dict[int, Labels] = {}  #: of the frame that was asked for last
        self._maps, self._left = maps, uses
        self._kept: dict[int, tuple[Labels, Labels]] = {}

    def __getitem__(self, index: int) -> Labels:
        while index not in self._kept:
            come, labels, true = next(self._maps)
            if self._left[come]:
                self._kept[come] = labels, true
        predicted, truth = self._kept[index]
        self._left[index] -= 1
        if not self._left[index]:
            del self._kept[index]
        self.truths.clear()
        self.truths[index] = truth
        return predicted


def _consistency(
    predicted: Iterator[tuple[int, Labels, Labels]],
    clips: Clips,
    conditions: Conditions,
    flow_cache: Path | None,
) -> tuple[PresetScore, ...]:
    """The consistency of clips that are predicted in `scoring_order`."""
    maps = PassingMaps(predicted, Counter(i for video in chains(clips.pairs) for i in video))
    return consistency(
        maps,
        maps.truths,
        clips.pairs,
        flows_of(clips, conditions.flow, flow_cache),
        conditions.consistency,
        len(clips.classes),
        unlabelled=range(len(clips), len(clips) + clips.unlabelled),
    )


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
