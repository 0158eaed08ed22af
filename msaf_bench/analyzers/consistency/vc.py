"""Video consistency over windows of n frames: VC8 and VC16 of VSPW (Miao et al. 2021), as its
script evaluates them.

Of the pixels whose true label stays the same through a window, the share whose prediction stays the
same too, in percent. The prediction is compared with itself, not with the truth, so a predictor
that is always wrong in the same way scores 100.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from msaf_bench.errors import DataError

Labels = NDArray[np.uint8]  #: (H, W)
TRUTH = "truth"  #: the subject whose label maps are the true ones


class VideoWindows:
    """The windows of one video, whose frames come one by one. Of each pixel it is kept how many
    frames up to the newest have had its label without a break.
    """

    def __init__(self, frames: int) -> None:
        self._frames = frames  # of the whole video
        self._seen = 0
        self._last: dict[str, Labels] = {}
        self._runs: dict[str, NDArray[np.int32]] = {}

    def add(self, index: int, maps: Mapping[str, Labels]) -> None:
        """Take the label maps of the next frame by subject, the true one among them. Raises
        `DataError` for maps of different sizes.
        """
        self._seen += 1
        for subject, current in maps.items():
            last = self._last.get(subject)
            if last is None:
                self._runs[subject] = np.ones(current.shape, np.int32)
            elif current.shape != last.shape:
                raise DataError(
                    f"frame {index} is {current.shape}, the one before {last.shape}; frames of one"
                    " video have one size"
                )
            else:
                run = np.where(current == last, self._runs[subject] + 1, 1)
                self._runs[subject] = run.astype(np.int32)
            self._last[subject] = current
        truth = maps[TRUTH].shape
        others = [current.shape for current in maps.values() if current.shape != truth]
        if others:
            raise DataError(
                f"frame {index}: the prediction is {others[0]}, the truth {truth}; bring them to"
                " one size"
            )

    def shares(self, n: int) -> dict[str, float]:
        """Return the share of the window of n frames that ends at the newest frame by subject, in
        percent, NaN where no true label lasts; nothing where no window ends there.

        As in the script, a video of L frames gives L - n windows, not L - n + 1: the last one is
        lost, and with it every video of n frames. Void counts as a label that can last.
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
