"""Results of other counters and of timing for both transformers. No torch import here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from msaf_bench.analyzers.attention.clock import Forward
from msaf_bench.host import Host

COUNTERS = ("torch", "fvcore", "ptflops")
NOT_RUN = "not run: add --measure"
TIMED = "one forward on the CPU, batch 1, fp32, alone in a fresh process"


class Counts(NamedTuple):
    """MACs of both transformers by one counter, or the reason why it gives none."""

    macs: Mapping[str, int] | None
    reason: str = ""


@dataclass(frozen=True)
class AttentionMeasurement:
    """Counted MACs, predicted memory and measured forwards of both transformers at one size."""

    counts: Mapping[str, Counts]  #: by counter
    live_bytes: Mapping[str, int | None]  #: by transformer; None for a size beyond counting
    forwards: Mapping[str, Forward]  #: by transformer
    host: Host

    @property
    def reasons(self) -> str:
        """Reasons for counters without MACs; empty if all have them."""
        return "; ".join(f"{name}: {c.reason}" for name, c in self.counts.items() if c.reason)

    def document(self) -> dict[str, object]:
        """Return the branches `live_bytes` and `measured` for JSON."""
        forwards = {name: forward._asdict() for name, forward in self.forwards.items()}
        return {
            "live_bytes": self.live_bytes,
            "measured": {"timed": TIMED, **forwards, "host": self.host.model_dump(mode="json")},
        }
