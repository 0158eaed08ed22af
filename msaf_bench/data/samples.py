"""Which clips of a split are shown."""

from msaf_bench.data.clips import Clips

SAMPLES = 4


def sample_indices(clips: Clips) -> list[int]:
    """The clips shown in figures, spread evenly over the split."""
    last = len(clips) - 1
    return sorted({round(i * last / (SAMPLES - 1)) for i in range(SAMPLES)})
