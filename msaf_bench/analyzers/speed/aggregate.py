"""Aggregation of the reports of several processes into one flagged result. No torch import."""

from collections.abc import Sequence
from statistics import fmean, median

from msaf_bench.analyzers.speed.latency import summarise
from msaf_bench.analyzers.speed.worker_report import OutputCheck, ProcessSummary, SystemRun

UNSTABLE = 0.1  #: largest spread between processes for a ranked latency
SPARE = 0.2  #: number of cores that other work may take from the timing without a flag


def summary(runs: Sequence[SystemRun], threads: int) -> dict[str, object]:
    """Return the fields of a `Speed` that follow from one or more runs."""
    wall = [t for run in runs for t in run.wall_ms]
    device = [t for run in runs for t in run.device_ms]
    cycle = runs[0].cycle
    joules = [run.energy.joules for run in runs if run.energy.joules is not None]
    return {
        "host": runs[0].host,
        "latency": summarise(wall),
        "device_latency": summarise(device) if device else None,
        "parts": tuple(
            (name, summarise([t for run in runs for t in dict(run.parts_ms)[name]]))
            for name, _ in runs[0].parts_ms
        ),
        "phases_ms": (
            tuple(median(wall[phase::cycle]) for phase in range(cycle)) if cycle > 1 else ()
        ),
        "processes": tuple(run.process for run in runs),
        "spread": spread(runs),
        "output": worst_output(runs),
        "memory": max((run.memory for run in runs), key=lambda memory: memory.peak_bytes or 0),
        "energy": runs[0].energy.model_copy(update={"joules": fmean(joules)} if joules else {}),
        "facts": runs[0].facts,
        "flags": tuple(flags(runs, threads).items()),
    }


def spread(runs: Sequence[SystemRun]) -> float | None:
    """Return (highest - lowest) / median of the medians per process; None for one process."""
    medians = [run.process.p50_ms for run in runs]
    return (max(medians) - min(medians)) / median(medians) if len(runs) > 1 else None


def worst_output(runs: Sequence[SystemRun]) -> OutputCheck:
    """Return the output check with the largest difference from the eager fp32 network."""
    return max(
        (run.output for run in runs),
        key=lambda output: (not output.agrees, output.max_abs_difference),
    )


def flags(runs: Sequence[SystemRun], threads: int) -> dict[str, str]:
    """Return the reasons to distrust a latency: a flag and a sentence for each."""
    found: dict[str, str] = {}
    processes, cores, apart = (
        [run.process for run in runs],
        min(run.cores for run in runs),
        spread(runs),
    )
    if not (output := worst_output(runs)).agrees:
        found["other output"] = (
            f"logits differ from those of the eager fp32 network by {output.max_abs_difference:.2g}"
            f" of {output.max_abs:.2g}"
        )
    if wide := sum(not p.converged for p in processes):
        found["not converged"] = (
            f"{wide} of {len(runs)} processes stopped before their median was known to 1 %"
        )
    if drifting := sum(not p.settled for p in processes):
        found["not settled"] = (
            f"in {drifting} of {len(runs)} processes, the last medians of the warm-up did not agree"
        )
    if apart is not None and apart > UNSTABLE:
        found["unstable"] = f"medians of the processes differ by {100 * apart:.0f} %: not ranked"
    if said := _contended(processes, threads, cores):
        found["contended"] = said
    if threads > cores:
        found["oversubscribed"] = f"{threads} threads on {cores} cores"
    if slowed := sorted({why for p in processes for why in p.after.slowed}):
        found["slowed"] = f"the GPU's clocks were throttled: {', '.join(slowed)}"
    return found


def _contended(processes: Sequence[ProcessSummary], threads: int, cores: int) -> str:
    """Return a sentence if other work took cores from the timing, else "".

    Uses CPU time, or the load average if the system does not report CPU time.
    """
    busy = [p.busy_cores for p in processes if p.busy_cores is not None]
    if len(busy) == len(processes):
        short = max(busy) > max(cores - threads, 0) + SPARE
        return f"other work kept {max(busy):.1f} of {cores} cores busy" if short else ""
    load = max(
        (s.load for p in processes for s in (p.before, p.after) if s.load is not None), default=0.0
    )
    return f"load {load:.1f} on {cores} cores: other work was running" if load > cores else ""
