"""Wall time and peak memory of one forward of each transformer on this machine's CPU: batch 1, fp32, a fresh process each."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

RUNS = 3  #: timed forwards, after one that is not timed
MOST_MACS = 10**12  #: a forward of more than this takes over half a minute on a few cores
MEMORY_SHARE = 0.7  #: of what is available now
TIMEOUT = 600  #: seconds, for the process


class Forward(NamedTuple):
    """One transformer's forward, or why there is none."""

    seconds: float | None = None  #: median of `runs`
    peak_bytes: int | None = None  #: resident memory above that of the built network and its input
    threads: int | None = None
    runs: int = 0
    reason: str = ""


def estimated_bytes(name: str, h: int, w: int, d: int) -> int:
    """An upper bound of a forward's memory, fp32: weights, clip and the largest live activations. The fused attention keeps no map.

    A block holds at most 12 d a token (input, norm, the MLP's hidden layer before and after GELU, residual); the DCN 9 d a pixel
    beside the aligned frames. Blocks: 12 d² weights each; DCN: 9 d² + 162 d.
    """
    n = h * w
    blocks, extra = (1, 0) if name == "transformer" else (4, 2 * (9 * d**2 + 162 * d) + 15 * n * d)
    return 4 * (12 * blocks * d**2 + 3 * n * d * (1 + 12) + extra)
