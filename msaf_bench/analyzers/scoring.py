"""Predictions of a network over a split. Shapes: N images, K classes, H W label map."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from msaf_bench.analyzers.miou import confusion_matrix
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data.clips import Clips
from msaf_bench.data.prefetch import ahead
from msaf_bench.data.transforms import normalise, stacked
from msaf_bench.errors import DataError
from msaf_bench.matrices import SparseMatrices
from msaf_bench.ports import ClipLogits, Reader

Labels = NDArray[np.uint8]

BATCH = 4  #: clips scored together


def reader(net: VideoNetwork, clips: Clips, device: str = "cpu", threads: int = 0) -> Reader:
    """Return a function that yields a network's logits for clips loaded ahead by `threads`.

    Args:
        net: Network on `device`.
        clips: Clips of the split.
        device: Device of `net`.
        threads: Number of threads that load clips ahead; 0 for none.
    """

    def load(indices: Sequence[int], still: bool) -> tuple[Tensor, list[Labels]]:
        chosen = [clips[i] for i in indices]
        frames = [clip.frames[[-1] * len(clip.frames)] if still else clip.frames for clip in chosen]
        return stacked(frames, device), [clip.label for clip in chosen]

    def read(chunks: Sequence[Sequence[int]], still: bool) -> Generator[ClipLogits]:
        with ahead(partial(load, still=still), chunks, threads) as loaded:
            for frames, labels in loaded:
                with torch.inference_mode():
                    out = net(normalise(frames.to(device, non_blocking=True)))
                yield ClipLogits(out.logits, labels)

    return read


def predictions(
    read: Reader, clips: Clips, indices: Sequence[int], *, still: bool = False
) -> Generator[tuple[Labels, Labels]]:
    """Yield the predicted and the true label map of each clip's newest frame.

    Logits are resized bilinearly to the resolution of the label.

    Args:
        read: Returns logits for clips.
        clips: Clips of the split.
        indices: Indices of the clips to predict, in order.
        still: Repeat the newest frame instead of past frames.

    Raises:
        DataError: If logits are not finite, or of another number of clips or classes.
    """
    chunks = [indices[first : first + BATCH] for first in range(0, len(indices), BATCH)]
    with closing(read(chunks, still)) as answers:
        for chunk, (logits, labels) in zip(chunks, answers, strict=True):
            _check_logits(logits, clips, chunk)
            for logit, label in zip(logits, labels, strict=True):
                full = functional.interpolate(logit[None], label.shape, mode="bilinear")
                # On a CPU, max over the classes is several times as fast as argmax.
                yield full.max(1).indices[0].to("cpu", torch.uint8).numpy(), label


def _check_logits(logits: Tensor, clips: Clips, chunk: Sequence[int]) -> None:
    """Raise `DataError` if logits are not finite or do not match the clips."""
    wanted = len(chunk), len(clips.classes)
    if logits.ndim != 4 or logits.shape[:2] != wanted:
        raise DataError(
            f"clip {clips[chunk[0]].name}: logits of {tuple(logits.shape)}; expected {wanted}"
            " and two sides of an image"
        )
    if not torch.isfinite(logits).all():
        raise DataError(
            f"the logits of clip {clips[chunk[0]].name} or one of the next {len(chunk) - 1} are"
            " not finite"
        )


def counted(
    read: Reader,
    clips: Clips,
    order: Sequence[int],
    matrices: SparseMatrices,
    *,
    still: bool = False,
    on_image: Callable[[int, Labels], None] = lambda i, m: None,
) -> Generator[tuple[int, Labels, Labels]]:
    """Yield the index, the predicted and the true label map of each clip.

    Args:
        read: Returns logits for clips.
        clips: Clips of the split.
        order: Indices of the clips in the order of prediction.
        matrices: Receives the counts of each labelled clip, in the same order.
        still: Repeat the newest frame instead of past frames.
        on_image: Called with the index and the predicted label map of each labelled clip.

    Raises:
        DataError: If logits are not finite, or of another number of clips or classes.
    """
    with closing(predictions(read, clips, order, still=still)) as predicted:
        for index, (labels, truth) in zip(order, predicted, strict=True):
            if index < len(clips):
                matrices.append(confusion_matrix(truth, labels, len(clips.classes)))
                on_image(index, labels)
            yield index, labels, truth


def score(
    net: VideoNetwork,
    clips: Clips,
    *,
    device: str = "cpu",
    still: bool = False,
    on_image: Callable[[int, Labels], None] = lambda i, m: None,
    read: Reader | None = None,
) -> SparseMatrices:
    """Return the confusion matrix of each clip's newest frame.

    Args:
        net: Network on `device`; it is set to evaluation mode.
        clips: Clips of the split.
        device: Device of `net`.
        still: Repeat the newest frame instead of past frames. The loss of mIoU is the contribution
            of past frames.
        on_image: Called with the index and the predicted label map of each clip.
        read: Returns logits for clips; by default, `reader(net, clips, device)`.

    Raises:
        DataError: If logits are not finite, or of another number of clips or classes.
    """
    net.eval()
    found, read = SparseMatrices(len(clips.classes)), read or reader(net, clips, device)
    for _ in counted(read, clips, range(len(clips)), found, still=still, on_image=on_image):
        pass
    return found
