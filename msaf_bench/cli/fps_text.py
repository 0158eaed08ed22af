"""`msaf-bench fps` as text for a terminal, from the document that --json prints."""

import textwrap
from collections.abc import Iterator
from typing import Any

PERCENTILES = ("p50", "p90", "p99")
MIB = 2**20
NOTE = (
    "FPS = 1000 / mean latency, batch 1. Intervals are 95 %: of percentiles by order statistics of"
    " all samples, as if frames did not depend on each other; of ratios Student's t over the"
    " processes."
)


def as_text(document: dict[str, Any]) -> Iterator[str]:
    """Lines of up to 90 columns: each run, then what the runs say of each other, then the
    machine.
    """
    runs = document.get("runs", [document])
    for run in runs:
        yield from (*_run(run), "")
    if "comparisons" in document:
        yield from (*_comparisons(document["comparisons"]), "")
    if "scaling" in document:
        yield from (*_scaling(document["scaling"]), "")
    yield from _host(runs[0])
    yield from _wrapped(NOTE, "")


def _run(run: dict[str, Any]) -> Iterator[str]:
    c = run["conditions"]
    how = [
        c["device"],
        c["precision"],
        _count(c["threads"], "thread"),
        f"{run['num_classes']} classes",
    ]
    how += [
        word
        for word, asked in (("channels last", c["channels_last"]), ("compiled", c["compiled"]))
        if asked
    ]
    yield f"{run['system']}  {_size(c)}  {c['mode']}  ({', '.join(how)})"
    if run["reason"]:
        yield from _wrapped(f"not timed: {run['reason']}")
        return
    yield f"    {'latency in ms':<22}{'p50':>9}{'p90':>9}{'p99':>9}{'mean':>9}{'FPS':>9}"
    yield _latency(run["region"], run["latency_ms"]) + f"{_figure(run['fps']):>9}"
    if run["device_latency_ms"]["p50"] is not None:
        yield _latency("by the GPU's events", run["device_latency_ms"])
    if len(run["parts_ms"]) > 1:
        yield from (_latency(f"  {name}", part) for name, part in run["parts_ms"].items())
    yield from (line for name, text in _about(run).items() for line in _item(name, text))
    yield from (
        line
        for word, sentence in run["flags"].items()
        for line in _wrapped(f"{word.upper()}: {sentence}")
    )


def _latency(label: str, latency: dict[str, Any]) -> str:
    return f"    {label:<22}" + "".join(
        f"{_figure(latency[name]):>9}" for name in (*PERCENTILES, "mean")
    )


def _about(run: dict[str, Any]) -> dict[str, str]:
    latency, processes, memory, output, energy = (
        run[key] for key in ("latency_ms", "processes", "memory", "output", "energy")
    )
    spans = {name: latency["intervals"][name] for name in PERCENTILES}
    text = {
        "intervals": (
            ", ".join(f"{name} {_span(*span)}" for name, span in spans.items() if None not in span)
            or "none"
        )
    }
    if latency["not_stated"]:
        text["not stated"] = "; ".join(
            f"{name}: {reason}" for name, reason in latency["not_stated"].items()
        )
    if run["phases_ms"]:
        text["cycle"] = f"p50 of its frames {', '.join(_figure(ms) for ms in run['phases_ms'])} ms"
    apart = "" if run["spread"] is None else f"; medians {100 * run['spread']:.1f} % apart"
    text["processes"] = (
        f"{len(processes)}; samples in each:"
        f" {', '.join(str(p['samples']) for p in processes)}{apart}"
    )
    text["rounds"] = (
        f"{', '.join(str(p['turns']) for p in processes)}, with {processes[0]['beside']} others in"
        " the same process"
    )
    first, warm = (", ".join(_figure(p[key]) for p in processes) for key in ("first_ms", "warm_up"))
    text["start"] = f"first frame {first} ms; frames of warm-up after it: {warm}"
    peak = (
        "not told by this system"
        if memory["peak_bytes"] is None
        else f"{memory['peak_bytes'] / MIB:,.0f} MiB {memory['kind']}"
    )
    reserved = (
        ""
        if memory["reserved_bytes"] is None
        else f", {memory['reserved_bytes'] / MIB:,.0f} MiB reserved"
    )
    text["peak memory"] = f"{peak}{reserved}; weights {memory['weights_bytes'] / MIB:,.0f} MiB"
    off, largest = output["max_abs_difference"], output["max_abs"]
    text["output"] = (
        f"within {off:.1e} of the eager fp32 network's logits, which reach {largest:.2g}"
    )
    if energy["joules"] is not None:
        idle = "" if energy["idle_w"] is None else f"; {energy['idle_w']:.0f} W before the first"
        text["energy"] = f"{energy['joules']:.3g} J a frame, over {energy['window_s']:.0f} s{idle}"
    before, after = processes[0]["before"], processes[-1]["after"]
    busy = ", ".join(_known(p["busy_cores"] and round(p["busy_cores"], 2)) for p in processes)
    text["load"] = (
        f"{_known(before['load'])} before, {_known(after['load'])} after; cores busy with other"
        f" work: {busy}"
    )
    if after["sm_mhz"] is not None:
        heat = (
            f"{_known(after['celsius'])} °C, {_known(after['power_w'])} of"
            f" {_known(after['power_cap_w'])} W"
        )
        text["GPU, after"] = (
            f"{after['sm_mhz']} MHz, memory {_known(after['memory_mhz'])} MHz, {heat}"
        )
    return text


def _comparisons(comparisons: list[dict[str, Any]]) -> Iterator[str]:
    yield "Compared, by the mean latencies in each process"
    for c in comparisons:
        span = "" if c["low"] is None else f" {_span(c['low'], c['high'])}"
        why = f" ({c['reason']})" if c["reason"] else ""
        yield from _item(
            f"{_size(c)} {c['mode']}",
            f"{c['first']} is {c['ratio']:.3f}{span} times as fast as {c['second']}",
        )
        yield from _item("", f"{c['verdict']}{why}")


def _scaling(scaling: dict[str, Any]) -> Iterator[str]:
    yield "Growth: a in latency ~ pixels^a, over all sizes (and between neighbouring ones)"
    paper = scaling["paper"]
    for name, fit in (
        (f"{fit['system']} {fit['mode']}", fit)
        for fit in (*scaling["measured"], paper | {"mode": "as printed"})
    ):
        a = fit["exponent"]
        yield f"    {name:<40}" + (
            "-"
            if a is None
            else f"{a:.2f}  ({', '.join(f'{piece:.2f}' for piece in fit['piecewise'])})"
        )
    printed = ", ".join(f"{value:g} at {size}" for size, value in paper["fps"].items())
    yield from _wrapped(
        f"The paper's FPS ({printed}; device not named) give an exponent and are not ranked with"
        " ours."
    )


def _host(run: dict[str, Any]) -> Iterator[str]:
    host = run["host"]
    device = "" if host["device"] == "cpu" else f"{host['device']}, "
    made = (
        f"{device}{host['cpu']}, {_count(host['cores'], 'core')}; torch {host['torch']}, commit"
        f" {host['commit'] or 'unknown'}"
    )
    yield from _wrapped(made, "")
    yield from _wrapped(", ".join(f"{name} {value}" for name, value in run["facts"].items()), "")


def _size(c: dict[str, Any]) -> str:
    return "x".join(map(str, c["size"]))


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _known(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _span(low: float, high: float) -> str:
    return f"[{_figure(low)}, {_figure(high)}]"


def _figure(value: float | None) -> str:
    """Four digits, or all before the point; counts as they are."""
    if value is None or isinstance(value, int):
        return "-" if value is None else str(value)
    return f"{value:.0f}" if value >= 1000 else f"{value:#.4g}"


def _item(name: str, text: str) -> list[str]:
    return textwrap.wrap(text, 90, initial_indent=f"    {name:<20}", subsequent_indent=" " * 24)


def _wrapped(text: str, indent: str = "    ") -> list[str]:
    return textwrap.wrap(text, 90, initial_indent=indent, subsequent_indent=indent + "  ")
