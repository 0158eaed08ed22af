"""Video consistency over windows of n frames: VC8 and VC16 of VSPW (Miao et al. 2021), as its
script evaluates them.

Of the pixels whose true label stays the same through a window, the share whose prediction stays the
same too, in percent. The prediction is compared with itself, not with the truth, so a predictor
that is always wrong in the same way scores 100.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from msaf_bench.errors import DataError

Maps = Callable[[int], NDArray[np.uint8]]  #: index of a frame -> its label map (H, W)


def window_shares(predictions: Maps, truths: Maps, video: Sequence[int], n: int) -> list[float]:
    """The share of each window of n frames in a video, in percent; NaN where no true label lasts.

    As in the script, a video of L frames gives L - n windows, not L - n + 1: the last one is lost,
    and with it every video of n frames. Void counts as a label that can last. Raises `DataError`
    for maps of different sizes.
    """
    shares = list[float]()
    for place, (true_run, run) in enumerate(
        zip(_runs(truths, video), _runs(predictions, video), strict=True)
    ):
        if true_run.shape != run.shape:
            raise DataError(
                f"frame {video[place]}: the prediction is {run.shape}, the truth {true_run.shape};"
                " bring them to one size"
            )
        if n - 1 <= place < len(video) - 1:
            lasting = true_run >= n
            both = np.count_nonzero(lasting & (run >= n))
            shares.append(100 * both / np.count_nonzero(lasting) if lasting.any() else float("nan"))
    return shares


def _runs(maps: Maps, video: Sequence[int]) -> Iterator[NDArray[np.int32]]:
    """For every frame, how many frames up to it have had each pixel's label without a break."""
    last = maps(video[0])
    run = np.ones(last.shape, np.int32)
    yield run
    for index in video[1:]:
        current = maps(index)
        if current.shape != last.shape:
            raise DataError(
                f"frame {index} is {current.shape}, the one before {last.shape}; frames of one"
                " video have one size"
            )
        run = np.where(current == last, run + 1, 1).astype(np.int32)
        last = current
        yield run
