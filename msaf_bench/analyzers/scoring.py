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
from msaf_bench.matrices import SparseMatrices
from msaf_bench.ports import Reader

Labels = NDArray[np.uint8]

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
) -> Iterator[Labels]:
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


def counted(
    read: Reader,
    clips: Clips,
    order: Sequence[int],
    matrices: SparseMatrices,
    *,
    still: bool = False,
    on_image: Callable[[int, Labels], None] = lambda i, m: None,
) -> Iterator[tuple[int, Labels]]:
    """Predict clips one by one, and give each one's index and label map. What is counted of those
    that have a true label map goes into `matrices`, in this order.

    Raises `DataError` as `predictions` does.
    """
    for index, predicted in zip(order, predictions(read, clips, order, still=still), strict=True):
        if index < len(clips):
            truth = clips[index].label
            matrices.append(confusion_matrix(truth, predicted, len(clips.classes)))
            on_image(index, predicted)
        yield index, predicted


def score(
    net: VideoNetwork,
    clips: Clips,
    *,
    device: str = "cpu",
    still: bool = False,
    on_image: Callable[[int, Labels], None] = lambda i, m: None,
    read: Reader | None = None,
) -> SparseMatrices:
    """The confusion matrix of each clip's newest frame.

    `still` repeats the newest frame in place of its history: what the score loses by it is the
    contribution of past frames. `on_image` is given each clip's index and predicted label map;
    `read` replaces the network's own reading of the frames. Raises `DataError` as `predictions`
    does.
    """
    net.eval()
    found, read = SparseMatrices(len(clips.classes)), read or reader(net, clips, device)
    for _ in counted(read, clips, range(len(clips)), found, still=still, on_image=on_image):
        pass
    return found
