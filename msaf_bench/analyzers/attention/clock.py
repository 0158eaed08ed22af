"""Wall time and peak memory of one forward of each transformer on this machine's CPU: batch 1,
fp32, a fresh process each.
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

#: timed forwards, after one that is not timed: more than 3 until `LONG_ENOUGH`
RUNS, MOST_RUNS = 3, 50
LONG_ENOUGH = 0.5  #: seconds of timed forwards
MOST_MACS = 10**12  #: a forward of more takes about half a minute on a few cores
MEMORY_SHARE = 0.7  #: of what is available now
TIMEOUT = 600  #: seconds, for one process


class Forward(NamedTuple):
    """One transformer's forward, or the reason why there is none."""

    seconds: float | None = None  #: median of `runs`
    fastest: float | None = None
    slowest: float | None = None
    #: resident memory above that of the built network and its clip; None where the kernel does not
    #: tell
    peak_bytes: int | None = None
    runs: int = 0
    threads: int = 0
    reason: str = ""


def estimated_bytes(name: str, h: int, w: int, d: int) -> int:
    """Memory of a forward in fp32, on the safe side. The fused attention on a CPU never holds the
    map of all pairs.

    A block needs some 16 values of d a token (the MLP's hidden layer twice, query, key and value,
    norm, residuals) and has 12 d² weights; DCN reads 9 d a pixel beside the aligned frames, and two
    of them have 18 d² + 324 d weights; 64 MiB are for the libraries.
    """
    n = h * w
    values = 3 * 16 * n * d + 12 * d**2
    if name != "transformer":
        values += 15 * n * d + 3 * 12 * d**2 + 18 * d**2 + 324 * d
    return 4 * values + 2**26


def time_forward(name: str, h: int, w: int, d: int, macs: int) -> Forward:
    """One transformer timed in a process of its own, at `macs` a forward; or the reason why that is
    out of reach here.
    """
    if macs > MOST_MACS:
        return Forward(reason=f"{macs:.2g} MAC a forward, over the limit of {MOST_MACS:.0e}")
    needed, limit = estimated_bytes(name, h, w, d), MEMORY_SHARE * available_bytes()
    if needed > limit:
        return Forward(
            reason=(
                f"needs about {needed / 2**30:.1f} GiB, over {MEMORY_SHARE:.0%} of what is free"
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
        return Forward(reason=f"not done after {TIMEOUT} s")
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
