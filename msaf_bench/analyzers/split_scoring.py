"""Scoring of a split in one pass: mIoU and temporal consistency without keeping all predictions.

Shapes: N images, K classes.
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
    """Counts of a network's predictions on a split."""

    confusion: SparseMatrices  #: confusion matrix of each labelled clip
    #: confusion matrices with the newest frame repeated instead of past frames; None for a network
    #: of one frame
    still: SparseMatrices | None
    consistency: tuple[PresetScore, ...]  #: empty if the flow of the conditions is "none"


def score_split(
    net: VideoNetwork,
    clips: Clips,
    conditions: Conditions,
    read: Reader,
    *,
    flow_cache: Path | None = None,
    on_image: Callable[[int, Labels], None] = lambda i, m: None,
) -> SplitCounts:
    """Score a network on the clips of a split: mIoU, without past frames too, and consistency.

    Args:
        net: Network to score; it is set to evaluation mode.
        clips: Clips of the split.
        conditions: Flow and presets of temporal consistency.
        read: Returns logits for clips.
        flow_cache: Cache folder of estimated flow.
        on_image: Called with the index and the predicted label map of each labelled clip.

    Raises:
        DataError: If logits are not finite, or of another number of clips or classes.
        UsageError: If the flow is unknown or not available for these clips.
    """
    net.eval()
    if conditions.flow == "none":
        confusion, found = score(net, clips, on_image=on_image, read=read), ()
    else:
        confusion = SparseMatrices(len(clips.classes))
        order = scoring_order(clips)
        with closing(counted(read, clips, order, confusion, on_image=on_image)) as predicted:
            found = _consistency(predicted, clips, conditions, flow_cache)
            for _ in predicted:  # predict the clips after the last pair too
                pass
    still = score(net, clips, still=True, read=read) if net.frames > 1 else None
    return SplitCounts(confusion, still, found)


class PassingMaps:
    """Buffer of predicted and true label maps that are read in another order than predicted.

    A map stays in the buffer until it was read as often as `uses` says.
    """

    def __init__(self, maps: Iterator[tuple[int, Labels, Labels]], uses: Counter[int]) -> None:
        self.truths: dict[int, Labels] = {}  #: ground truth of the frame that was read last
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
    """Return the temporal consistency of clips predicted in `scoring_order`."""
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
    """Return the indices of the clips of a split in the order of prediction.

    Labelled clips keep their order. Each unlabelled clip is placed beside the nearest labelled clip
    of its video.
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
