"""A network's predictions over a split. Shapes: N images, K classes, H W label map."""

from collections.abc import Callable, Generator, Iterator, Sequence
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
from msaf_bench.ports import ClipLogits, Reader

BATCH = 4  #: clips scored together


def reader(net: VideoNetwork, clips: Clips, device: str = "cpu", threads: int = 0) -> Reader:
    """What reads clips with a network; so many threads load them ahead."""

    def load(indices: Sequence[int], still: bool) -> tuple[Tensor, list[NDArray[np.uint8]]]:
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
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """The predicted label map of each clip's newest frame, at its label's resolution (logits
    brought there bilinearly), and the true one.

    `still` repeats the newest frame in place of its history. Raises `DataError` for logits that are
    not finite, or of another number of clips or classes.
    """
    chunks = [indices[first : first + BATCH] for first in range(0, len(indices), BATCH)]
    with closing(read(chunks, still)) as answers:
        for chunk, (logits, labels) in zip(chunks, answers, strict=True):
            _check_logits(logits, clips, chunk)
            for logit, label in zip(logits, labels, strict=True):
                full = functional.interpolate(logit[None], label.shape, mode="bilinear")
                # On a CPU max over the classes is several times as fast as argmax.
                yield full.max(1).indices[0].to("cpu", torch.uint8).numpy(), label


def _check_logits(logits: Tensor, clips: Clips, chunk: Sequence[int]) -> None:
    """Raise `DataError` for logits that are not finite or not of these clips."""
    wanted = len(chunk), len(clips.classes)
    if logits.ndim != 4 or logits.shape[:2] != wanted:
        raise DataError(
            f"clip {clips[chunk[0]].name}: logits of {tuple(logits.shape)}; expected {wanted}"
            " and two sides of a picture"
        )
    if not torch.isfinite(logits).all():
        raise DataError(
            f"the logits of clip {clips[chunk[0]].name} or one of the next {len(chunk) - 1} are"
            " not finite"
        )


def score(
    net: VideoNetwork,
    clips: Clips,
    *,
    device: str = "cpu",
    still: bool = False,
    on_image: Callable[[int, NDArray[np.uint8]], None] = lambda i, m: None,
    read: Reader | None = None,
) -> NDArray[np.int64]:
    """The confusion matrix of each clip's newest frame, (N, K, K).

    `still` repeats the newest frame in place of its history: what the score loses by it is the
    contribution of past frames. `on_image` is given each clip's index and predicted label map;
    `read` replaces the network's own reading of the frames. Raises `DataError` as `predictions`
    does.
    """
    net.eval()
    matrices = list[NDArray[np.int64]]()
    for index, (predicted, truth) in enumerate(
        predictions(read or reader(net, clips, device), clips, range(len(clips)), still=still)
    ):
        matrices.append(confusion_matrix(truth, predicted, len(clips.classes)))
        on_image(index, predicted)
    return np.stack(matrices)
