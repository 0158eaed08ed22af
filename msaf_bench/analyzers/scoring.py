"""A network's predictions over a split. Shapes: N images, K classes, H W label map."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from msaf_bench.analyzers.miou import confusion_matrix
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data.clips import Clips
from msaf_bench.data.transforms import normalise
from msaf_bench.errors import DataError
from msaf_bench.ports import Reader

BATCH = 4  #: clips scored together


def reader(net: VideoNetwork, clips: Clips, device: str = "cpu") -> Reader:
    """What reads clips with a network."""

    def read(indices: Sequence[int], still: bool) -> Tensor:
        chosen = [clips[i].frames for i in indices]
        frames = normalise(
            np.stack([frames[[-1] * len(frames)] if still else frames for frames in chosen])
        )
        return net(frames.to(device)).logits

    return read


def predictions(
    read: Reader, clips: Clips, indices: Sequence[int], *, still: bool = False
) -> Iterator[NDArray[np.uint8]]:
    """The predicted label map of each clip's newest frame, at its label's resolution (logits
    brought there bilinearly).

    `still` repeats the newest frame in place of its history. Raises `DataError` for logits that are
    not finite, or of another number of clips or classes.
    """
    for first in range(0, len(indices), BATCH):
        chunk = indices[first : first + BATCH]
        with torch.inference_mode():
            logits = read(chunk, still)
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
        for logit, index in zip(logits, chunk, strict=True):
            full = functional.interpolate(logit[None], clips[index].label.shape, mode="bilinear")
            # On a CPU max over the classes is several times as fast as argmax.
            yield full.max(1).indices[0].to("cpu", torch.uint8).numpy()


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
    for index, predicted in enumerate(
        predictions(read or reader(net, clips, device), clips, range(len(clips)), still=still)
    ):
        matrices.append(confusion_matrix(clips[index].label, predicted, len(clips.classes)))
        on_image(index, predicted)
    return np.stack(matrices)
