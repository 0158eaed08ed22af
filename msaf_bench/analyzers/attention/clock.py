"""Wall time and peak memory of one forward pass of each transformer on the CPU.

Batch 1, fp32, one fresh process per transformer.
"""

import json
import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import NamedTuple

from msaf_bench.analyzers.speed.machine import (
    available_bytes,
    peak_bytes,
    reset_peak,
    resident_bytes,
)
from msaf_bench.children import command

#: fewest and most timed forwards, after one untimed forward; stops in between at `LONG_ENOUGH`
RUNS, MOST_RUNS = 3, 50
LONG_ENOUGH = 0.5  #: total time of the timed forwards, in seconds
MOST_MACS = 10**12  #: largest forward that is timed: about half a minute on a few cores
MEMORY_SHARE = 0.7  #: share of the memory available now that a forward may need
TIMEOUT = 600  #: time limit of one process, in seconds


class Forward(NamedTuple):
    """Measured forward pass of one transformer, or the reason why it was not measured."""

    seconds: float | None = None  #: median over `runs`
    fastest: float | None = None
    slowest: float | None = None
    #: peak resident memory minus that of the built network and its clip; None if the kernel does
    #: not report it
    peak_bytes: int | None = None
    runs: int = 0
    threads: int = 0
    reason: str = ""


def estimated_bytes(name: str, h: int, w: int, d: int) -> int:
    """Estimate the memory of a forward pass in fp32, in bytes, rather too high than too low.

    A block needs about 16 d values per token (twice the MLP's hidden layer, query, key and value,
    norm, residuals) and has 12 d² weights. Fused attention on a CPU never stores the map of all
    pairs. A DCN reads 9 d values per pixel beside the aligned frames; two DCNs have 18 d² + 324 d
    weights. The libraries take 64 MiB.

    Args:
        name: One of `TRANSFORMERS`.
        h: Rows of the feature map.
        w: Columns of the feature map.
        d: Channels of the feature map.
    """
    n = h * w
    values = 3 * 16 * n * d + 12 * d**2
    if name != "transformer":
        values += 15 * n * d + 3 * 12 * d**2 + 18 * d**2 + 324 * d
    return 4 * values + 2**26


def time_forward(name: str, h: int, w: int, d: int, macs: int) -> Forward:
    """Time the forward pass of one transformer in a separate process.

    Args:
        name: One of `TRANSFORMERS`.
        h: Rows of the feature map.
        w: Columns of the feature map.
        d: Channels of the feature map.
        macs: MACs of one forward, compared with `MOST_MACS`.

    Returns:
        The measurement; only `reason` is set if the forward is too large or its process fails.
    """
    if macs > MOST_MACS:
        return Forward(reason=f"{macs:.2g} MAC per forward, over the limit of {MOST_MACS:.0e}")
    needed, limit = estimated_bytes(name, h, w, d), MEMORY_SHARE * available_bytes()
    if needed > limit:
        return Forward(
            reason=(
                f"needs about {needed / 2**30:.1f} GiB, over {MEMORY_SHARE:.0%} of the free memory"
                f" ({limit / 2**30:.1f} GiB)"
            )
        )
    try:
        done = subprocess.run(
            command(__name__, name, str(h), str(w), str(d)),
            check=False,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return Forward(reason=f"not finished after {TIMEOUT} s")
    if done.returncode:
        said = done.stderr.strip().splitlines()
        return Forward(
            reason=(
                f"its process ended with {done.returncode}:"
                f" {said[-1] if said else 'killed, probably for memory'}"
            )
        )
    return Forward(**json.loads(done.stdout))


def _measure(name: str, h: int, w: int, d: int) -> Forward:
    import torch

    from msaf_bench.analyzers.attention.complexity import FRAMES
    from msaf_bench.analyzers.attention.transformers import build

    net, clip = build(name, d), torch.randn(1, FRAMES, d, h, w)
    reset_peak()
    base = resident_bytes()
    seconds: list[float] = []
    with torch.inference_mode():
        net(clip)
        while len(seconds) < RUNS or (sum(seconds) < LONG_ENOUGH and len(seconds) < MOST_RUNS):
            start = perf_counter()
            net(clip)
            seconds.append(perf_counter() - start)
    highest = peak_bytes()
    peak = None if base is None or highest is None else highest - base
    return Forward(
        median(seconds), min(seconds), max(seconds), peak, len(seconds), torch.get_num_threads()
    )


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], *map(int, sys.argv[2:]))._asdict()))
