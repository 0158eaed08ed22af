"""Video consistency over windows of n frames: VC8 and VC16, as in the script of VSPW.

Take the pixels whose true label is constant in a window. The score is the percentage of them whose
prediction is constant too (Miao et al. 2021). The prediction is compared with itself, not with the
ground truth, so a predictor that is always wrong in the same way scores 100.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from msaf_bench.errors import DataError

Labels = NDArray[np.uint8]  #: (H, W)
TRUTH = "truth"  #: the subject of the ground truth


class VideoWindows:
    """Windows of one video, fed frame by frame.

    Each pixel has a run length: the number of frames, up to the newest, with the same label.
    """

    def __init__(self, frames: int) -> None:
        self._frames = frames  # number of frames of the whole video
        self._seen = 0
        self._last: dict[str, Labels] = {}
        self._runs: dict[str, NDArray[np.int32]] = {}

    def add(self, index: int, maps: Mapping[str, Labels]) -> None:
        """Add the label maps of the next frame by subject; ground truth must be one of them.

        Raises `DataError` if maps differ in size.
        """
        self._seen += 1
        for subject, current in maps.items():
            last = self._last.get(subject)
            if last is None:
                self._runs[subject] = np.ones(current.shape, np.int32)
            elif current.shape != last.shape:
                raise DataError(
                    f"frame {index} is {current.shape}, the one before {last.shape}; all frames of"
                    " a video must have one size"
                )
            else:
                run = np.where(current == last, self._runs[subject] + 1, 1)
                self._runs[subject] = run.astype(np.int32)
            self._last[subject] = current
        truth = maps[TRUTH].shape
        others = [current.shape for current in maps.values() if current.shape != truth]
        if others:
            raise DataError(
                f"frame {index}: the prediction is {others[0]}, the truth {truth}; resize them to"
                " the same size"
            )

    def shares(self, n: int) -> dict[str, float]:
        """Return the share in percent, by subject, of the window of n frames ending at the newest.

        NaN if no true label is constant in the window; an empty dict if no window ends at the
        newest frame. As in the script, a video of L frames has L - n windows, not L - n + 1: the
        last one is dropped, so a video of n frames has none. Void counts as a label.
        """
        if not n <= self._seen < self._frames:
            return {}
        lasting = self._runs[TRUTH] >= n
        pixels = np.count_nonzero(lasting)
        return {
            subject: 100 * np.count_nonzero(lasting & (run >= n)) / pixels
            if pixels
            else float("nan")
            for subject, run in self._runs.items()
        }
