"""Terminal output of `msaf-bench fps`."""

import textwrap
from collections.abc import Iterator, Sequence

from msaf_bench.analyzers.speed.comparison import PAPER_FPS, paper_scaling
from msaf_bench.analyzers.speed.latency import Latency, Percentile
from msaf_bench.analyzers.speed.study import (
    PAPER_SYSTEM,
    PERCENTILES,
    SpeedStudy,
    SystemComparison,
    SystemScaling,
    TimedSystem,
)
from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.analyzers.speed.worker_report import Energy, OutputCheck, PeakMemory

MIB = 2**20
NOTE = (
    "FPS = 1000 / mean latency in ms, batch size 1. Intervals are 95 %. Intervals of percentiles:"
    " order statistics of all samples, assuming independent frames. Intervals of ratios: Student's"
    " t over the processes."
)


def latency_lines(study: SpeedStudy) -> Iterator[str]:
    """Yield the lines of a study, up to 90 columns: runs, comparisons, growth, machine."""
    for run in study.runs:
        yield from (*_run(run), "")
    if study.comparisons:
        yield from (*_comparisons(study.comparisons), "")
    if study.scaling is not None:
        yield from (*_scaling(study.scaling), "")
    yield from _host(study.runs[0].speed)
    yield from _wrapped(NOTE, "")


def _run(run: TimedSystem) -> Iterator[str]:
    speed, c = run.speed, run.speed.conditions
    how = [
        c.device,
        c.precision,
        _count(c.threads, "thread"),
        f"{speed.num_classes} classes",
    ]
    asked = {"channels last": c.channels_last, "compiled": c.compiled}
    how += [word for word, given in asked.items() if given]
    yield f"{run.label}  {_size(c.size)}  {c.mode}  ({', '.join(how)})"
    if speed.latency is None:
        yield from _wrapped(f"not timed: {speed.reason}")
        return
    yield f"    {'latency in ms':<22}{'p50':>9}{'p90':>9}{'p99':>9}{'mean':>9}{'FPS':>9}"
    yield _latency(c.region, speed.latency) + f"{_figure(speed.fps):>9}"
    if speed.device_latency:
        yield _latency("GPU events", speed.device_latency)
    if len(speed.parts) > 1:
        yield from (_latency(f"  {name}", part) for name, part in speed.parts)
    for name, text in _about(speed, speed.latency).items():
        yield from _item(name, text)
    for word, sentence in speed.flags:
        yield from _wrapped(f"{word.upper()}: {sentence}")


def _percentiles(latency: Latency) -> dict[str, Percentile]:
    return dict(zip(PERCENTILES, (latency.p50, latency.p90, latency.p99), strict=True))


def _latency(label: str, latency: Latency) -> str:
    values = [*(p.value for p in _percentiles(latency).values()), latency.mean]
    return f"    {label:<22}" + "".join(f"{_figure(value):>9}" for value in values)


def _about(speed: Speed, latency: Latency) -> dict[str, str]:
    percentiles = _percentiles(latency)
    spans = [
        f"{name} {_span(p.low, p.high)}"
        for name, p in percentiles.items()
        if p.low is not None and p.high is not None
    ]
    text = {"intervals": ", ".join(spans) or "none"}
    lacking = [f"{name}: {p.reason}" for name, p in percentiles.items() if p.reason]
    if lacking:
        text["not stated"] = "; ".join(lacking)
    if speed.phases_ms:
        text["cycle"] = f"p50 per frame of the cycle {', '.join(map(_figure, speed.phases_ms))} ms"
    text |= _processes(speed)
    if speed.memory:
        text["peak memory"] = _memory(speed.memory)
    if speed.output:
        text["output"] = _output(speed.output)
    if speed.energy and speed.energy.joules is not None:
        text["energy"] = _energy(speed.energy, speed.energy.joules)
    return text | _machine(speed)


def _processes(speed: Speed) -> dict[str, str]:
    processes = speed.processes
    apart = "" if speed.spread is None else f"; medians {100 * speed.spread:.1f} % apart"
    samples = ", ".join(str(p.samples) for p in processes)
    turns = ", ".join(str(p.turns) for p in processes)
    first = ", ".join(_figure(p.first_ms) for p in processes)
    warm = ", ".join(_figure(p.warm_up) for p in processes)
    return {
        "processes": f"{len(processes)}; samples per process: {samples}{apart}",
        "rounds": f"{turns}, interleaved with {processes[0].beside} other runs in the same process",
        "start": f"first frame {first} ms; warm-up frames after it: {warm}",
    }


def _memory(memory: PeakMemory) -> str:
    peak, reserved = "not reported by the operating system", ""
    if memory.peak_bytes is not None:
        peak = f"{memory.peak_bytes / MIB:,.0f} MiB {memory.kind}"
    if memory.reserved_bytes is not None:
        reserved = f", {memory.reserved_bytes / MIB:,.0f} MiB reserved"
    return f"{peak}{reserved}; weights {memory.weights_bytes / MIB:,.0f} MiB"


def _output(output: OutputCheck) -> str:
    return (
        f"logits within {output.max_abs_difference:.1e} of the eager fp32 network, whose largest"
        f" logit is {output.max_abs:.2g}"
    )


def _energy(energy: Energy, joules: float) -> str:
    idle = "" if energy.idle_w is None else f"; {energy.idle_w:.0f} W before the first frame"
    return f"{joules:.3g} J per frame, over {energy.window_s or 0:.0f} s{idle}"


def _machine(speed: Speed) -> dict[str, str]:
    before, after = speed.processes[0].before, speed.processes[-1].after
    busy = ", ".join(
        _known(None if p.busy_cores is None else round(p.busy_cores, 2)) for p in speed.processes
    )
    load = (
        f"{_known(before.load)} before, {_known(after.load)} after; cores busy with other"
        f" work, per process: {busy}"
    )
    if after.sm_mhz is None:
        return {"load": load}
    heat = f"{_known(after.celsius)} °C, {_known(after.power_w)} of {_known(after.power_cap_w)} W"
    clocks = f"{after.sm_mhz} MHz, memory {_known(after.memory_mhz)} MHz, {heat}"
    return {"load": load, "GPU, after": clocks}


def _comparisons(comparisons: Sequence[SystemComparison]) -> Iterator[str]:
    yield "Comparison by the mean latency in each process"
    for c in comparisons:
        found = c.found
        span = "" if found.low is None else f" {_span(found.low, found.high)}"
        why = f" ({found.reason})" if found.reason else ""
        yield from _item(
            f"{_size(c.size)} {c.mode}",
            f"{c.first} is {found.ratio:.3f}{span} times as fast as {c.second}",
        )
        yield from _item("", f"{found.verdict}{why}")


def _scaling(scaling: Sequence[SystemScaling]) -> Iterator[str]:
    yield "Growth: a in latency ~ pixels^a, over all sizes (and between neighbouring ones)"
    for fit in (*scaling, SystemScaling(PAPER_SYSTEM, "as printed", paper_scaling())):
        a, text = fit.found.exponent, "-"
        if a is not None:
            pieces = ", ".join(f"{piece:.2f}" for piece in fit.found.piecewise)
            text = f"{a:.2f}  ({pieces})"
        yield f"    {f'{fit.system} {fit.mode}':<40}{text}"
    printed = ", ".join(f"{value:g} at {_size(size)}" for size, value in PAPER_FPS.items())
    yield from _wrapped(
        f"The paper's FPS ({printed}; device not named) only give an exponent and are not ranked"
        " with ours."
    )


def _host(speed: Speed) -> Iterator[str]:
    host = speed.host
    device = "" if host.device == "cpu" else f"{host.device}, "
    made = (
        f"{device}{host.cpu}, {_count(host.cores, 'core')}; torch {host.torch}, commit"
        f" {host.commit or 'unknown'}"
    )
    yield from _wrapped(made, "")
    yield from _wrapped(", ".join(f"{name} {value}" for name, value in speed.facts), "")


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _known(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _span(low: float | None, high: float | None) -> str:
    return f"[{_figure(low)}, {_figure(high)}]"


def _figure(value: float | None) -> str:
    """Format a value with four significant digits, or as a whole number from 1000 on.

    Counts are printed unchanged and None as a dash.
    """
    if value is None or isinstance(value, int):
        return "-" if value is None else str(value)
    return f"{value:.0f}" if value >= 1000 else f"{value:#.4g}"


def _item(name: str, text: str) -> list[str]:
    return textwrap.wrap(text, 90, initial_indent=f"    {name:<20}", subsequent_indent=" " * 24)


def _wrapped(text: str, indent: str = "    ") -> list[str]:
    return textwrap.wrap(text, 90, initial_indent=indent, subsequent_indent=indent + "  ")
