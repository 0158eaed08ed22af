"""Latencies of several systems: comparison and growth with image size. No torch import here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf

from msaf_bench.analyzers.speed.comparison import (
    PAPER_FPS,
    Comparison,
    Scaling,
    compare,
    paper_scaling,
    scaling,
)
from msaf_bench.analyzers.speed.latency import Latency
from msaf_bench.analyzers.speed.processes import Progress, measure_speed
from msaf_bench.analyzers.speed.tasks import Speed, SpeedConditions, SpeedTask
from msaf_bench.spec import Mode, System

PERCENTILES: tuple[str, ...] = ("p50", "p90", "p99")
PAPER_SYSTEM = "MSAF, ResNet-18"


@dataclass(frozen=True)
class TimedSystem:
    """One system under one set of conditions."""

    label: str
    speed: Speed

    def document(self) -> dict[str, object]:
        """Return the run for JSON."""
        speed = self.speed
        kept = speed.model_dump(mode="json")
        for pairs in ("facts", "flags"):
            kept[pairs] = dict(kept[pairs])
        for said in ("latency", "device_latency", "parts"):
            del kept[said]
        return {
            "system": self.label,
            "mode": speed.conditions.mode,
            "size": speed.conditions.size,
            "region": speed.conditions.region,
            "latency_ms": latency_document(speed.latency),
            "fps": speed.fps,
            "samples": speed.latency.samples if speed.latency else 0,
            "converged": speed.converged,
            "host": kept.pop("host"),
            "id": speed.id,
            "spec": kept.pop("system"),
            "device_latency_ms": latency_document(speed.device_latency),
            "parts_ms": {name: latency_document(part) for name, part in speed.parts},
            **kept,
        }


@dataclass(frozen=True)
class SystemComparison:
    """Comparison of two systems timed in the same processes."""

    mode: Mode
    size: tuple[int, int]
    first: str
    second: str
    found: Comparison

    def document(self) -> dict[str, object]:
        """Return the comparison for JSON."""
        return {
            "mode": self.mode,
            "size": self.size,
            "first": self.first,
            "second": self.second,
            **self.found._asdict(),
        }


@dataclass(frozen=True)
class SystemScaling:
    """Latency ~ pixels^exponent of one system."""

    system: str
    mode: str
    found: Scaling

    def document(self) -> dict[str, object]:
        """Return the fit for JSON."""
        return {"system": self.system, "mode": self.mode, **self.found._asdict()}


@dataclass(frozen=True)
class SpeedStudy:
    """All runs of one measurement."""

    runs: tuple[TimedSystem, ...]
    comparisons: tuple[SystemComparison, ...]  #: first system against each other one
    scaling: tuple[SystemScaling, ...] | None  #: None for a single size

    def document(self) -> dict[str, object]:
        """Return the output of `fps --json`.

        It is the first run; for several runs, also `runs`, `comparisons` and `scaling`.
        """
        runs = [run.document() for run in self.runs]
        more: dict[str, object] = {"runs": runs} if len(runs) > 1 else {}
        if self.comparisons:
            more["comparisons"] = [each.document() for each in self.comparisons]
        if self.scaling is not None:
            printed = {f"{h}x{w}": value for (h, w), value in PAPER_FPS.items()}
            more["scaling"] = {
                "measured": [fit.document() for fit in self.scaling],
                "paper": {"system": PAPER_SYSTEM, "fps": printed, **paper_scaling()._asdict()},
            }
        return runs[0] | more


def time_systems(
    systems: Mapping[str, System],
    conditions: Sequence[SpeedConditions],
    num_classes: int,
    plugins: tuple[str, ...] = (),
    *,
    within_s: float = inf,
    on_note: Callable[[str], None] = lambda text: None,
    on_progress: Callable[[dict[str, float], Progress], None] = lambda means, progress: None,
) -> SpeedStudy:
    """Time all systems under all conditions in the same fresh processes, in interleaved rounds.

    Args:
        systems: Systems by label.
        conditions: Conditions that differ in size and mode only.
        num_classes: Number of classes.
        plugins: Modules with `register(registry)`.
        within_s: Time limit in seconds, as in `measure_speed`.
        on_note: Called with one line before each process.
        on_progress: Called with the mean latencies so far in ms, by label of the run, and the
            progress.
    """
    tasks = [
        SpeedTask(system=system, conditions=each, num_classes=num_classes, plugins=plugins)
        for each in conditions
        for system in systems.values()
    ]
    labels: dict[str, str] = {}
    pairs = ((label, each) for each in conditions for label in systems)
    for task, (label, each) in zip(tasks, pairs, strict=True):
        labels.setdefault(task.id, f"{label} {'x'.join(map(str, each.size))} {each.mode}")

    def told(progress: Progress) -> None:
        on_progress({labels[id_]: ms for id_, ms in progress.means_ms.items()}, progress)

    speeds = iter(measure_speed(tasks, within_s=within_s, on_note=on_note, on_progress=told))
    measured = [
        [TimedSystem(*pair) for pair in zip(systems, islice(speeds, len(systems)), strict=True)]
        for _ in conditions
    ]
    runs = tuple(run for together in measured for run in together)
    comparisons = tuple(found for together in measured for found in _comparisons(together))
    several = len({run.speed.conditions.size for run in runs}) > 1
    return SpeedStudy(runs, comparisons, _scaling(runs) if several else None)


def latency_document(latency: Latency | None) -> dict[str, object]:
    """Return the percentiles for JSON, with intervals and the reasons for null values."""
    if latency is None:
        return {"p50": None, "p90": None, "p99": None, "mean": None}
    percentiles = {"p50": latency.p50, "p90": latency.p90, "p99": latency.p99}
    return {
        **{name: p.value for name, p in percentiles.items()},
        "mean": latency.mean,
        "intervals": {name: [p.low, p.high] for name, p in percentiles.items()},
        "not_stated": {name: p.reason for name, p in percentiles.items() if p.reason},
    }


def _comparisons(together: Sequence[TimedSystem]) -> Iterator[SystemComparison]:
    first, *others = together
    conditions = first.speed.conditions
    for other in others:
        found = compare(first.speed, other.speed)
        if found is not None:
            yield SystemComparison(
                conditions.mode, conditions.size, first.label, other.label, found
            )


def _scaling(runs: Sequence[TimedSystem]) -> tuple[SystemScaling, ...]:
    points: dict[tuple[str, Mode], list[tuple[tuple[int, int], float]]] = {}
    for run in runs:
        if run.speed.latency:
            conditions = run.speed.conditions
            of = points.setdefault((run.label, conditions.mode), [])
            of.append((conditions.size, run.speed.latency.mean))
    return tuple(
        SystemScaling(label, mode, scaling(found)) for (label, mode), found in points.items()
    )
