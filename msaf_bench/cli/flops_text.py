"""`msaf-bench flops` as text for a terminal."""

import textwrap
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from msaf_bench.analyzers.attention.complexity import MLP_RATIO, PYRAMID

FOOTNOTE = f"""\
(iii) is of a D-Transformer with maps smaller by {", ".join(map(str, PYRAMID))} along each axis, odd
sizes rounded up; MLP ratio {MLP_RATIO}. Not in it, as it is elementwise: softmax,
LayerNorm, GELU, biases, residuals, resizing, the DCN's bilinear reads."""

NOISY = 1.5  #: slowest over fastest forward, beyond which a time is not worth much

GROWTH = {
    "paper": "the paper's formulas",
    "pairs": "pairs",
    "exact": "exact MAC",
    "predicted": "exact MAC, at the sizes timed",
    "seconds": "measured time",
    "live_bytes": "memory, predicted: live activations",
    "peak_bytes": "measured peak memory",
}

TERMS = {
    "pst_attention": "joint | PST  attention, QK^T and AV",
    "pst_projections": "             projections",
    "pst_mlp": "             MLP",
    "dcn": "two DCNs     products",
    "dcn_offset": "             offsets",
    "att_attention": "ATT          attention, QK^T and AV",
    "att_projections": "             projections",
    "att_mlp": "             MLP",
}


def as_text(documents: list[dict[str, Any]], whole: dict[str, Any]) -> Iterator[str]:
    """Lines of up to 80 columns, longer only for numbers that are: for each size the formulas, the
    exact count, the counters, the clock.
    """
    for d in documents:
        yield from (
            (
                f"{d['grid'][0]}x{d['grid'][1]} feature map: n = {d['n']:,} pixels, 3 frames, width"
                f" {d['width']}"
            ),
            "",
        )
        yield from (
            *_paper(d["paper"]),
            "",
            *_pairs(d),
            "",
            *_exact(d["exact"], d["width"]),
            "",
            *_counters(d["counters"]),
            "",
        )
        if "measured" in d:
            yield from (*_clock(d), "")
    yield from (FOOTNOTE, "", *_claims(whole["claims"]))
    if "exponents" in whole:
        yield from (
            "",
            "Growth: a in cost ~ n^a, fitted over the sizes",
            _row("", "Transformer", "D-Transformer"),
        )
        fits = whole["exponents"]
        for key in (
            key
            for key in GROWTH
            if key in fits and not (key == "predicted" and fits[key] == fits["exact"])
        ):
            yield _row(GROWTH[key], *("-" if a is None else f"{a:.3f}" for a in fits[key].values()))
        if any(
            _noisy(d["measured"][name])
            for d in documents
            if "measured" in d
            for name in fits["exact"]
        ):
            yield "    Some times are NOISY, and so is their exponent: measure on a quiet machine."
    yield from (f"wrote {path}" for path in whole.get("files", ()))


def _row(label: str, *cells: str) -> str:
    return f"    {label:<36}" + "".join(f" {cell:>19}" for cell in cells)


def _paper(p: dict[str, Any]) -> Iterator[str]:
    ratio = Fraction(p["ratio_exact"])
    yield "(i) The paper's formulas, in relations"
    yield _row("Transformer     Eq. 1   3n^3", f"{p['transformer']:,}")
    yield _row("PST             Eq. 4   3n^2", f"{p['pst']:,}")
    yield _row("ATT             Eq. 7   24n", f"{p['att']:,}")
    yield _row("D-Transformer   Eq. 8   3n^2 + 24n", f"{p['d_transformer']:,}")
    yield _row("difference              Eq. 1 - Eq. 8", f"{p['difference']:,}")
    yield _row("ratio                   Eq. 1 / Eq. 8", _decimal(ratio))
    yield _row("                        exactly", str(ratio))
    yield _row("crossover, n            (1+sqrt 33)/2", f"{p['crossover']:.4f}")


def _pairs(d: dict[str, Any]) -> Iterator[str]:
    p, core = d["pairs"], d["core"]
    yield "(ii) Pairs of tokens that attend to each other, without down-sampling"
    yield _row("Transformer             9n^2", f"{p['transformer']:,}")
    yield _row("D-Transformer           3n^2 + 9n", f"{p['d_transformer']:,}")
    yield _row("ratio                   3n/(n + 3)", _decimal(Fraction(p["ratio_exact"])))
    yield f"     and QK^T, AV of these pairs at width {d['width']}, in MAC"
    yield _row("Transformer             2d 9n^2", f"{core['transformer']:,}")
    yield _row("D-Transformer           2d (3n^2 + 9n)", f"{core['d_transformer']:,}")


def _decimal(ratio: Fraction) -> str:
    """To four decimals, exactly, however large."""
    whole, rest = divmod(round(ratio * 10**4), 10**4)
    return f"{whole:,}.{rest:04}"


def _exact(e: dict[str, Any], width: int) -> Iterator[str]:
    joint, parts = e["transformer"], e["d_transformer"]
    yield f"(iii) Exact count at width {width}, in MAC (1 MAC = 2 FLOPs)"
    yield _row("", "Transformer", "D-Transformer")
    for term, label in TERMS.items():
        # The joint block stands beside PST, the part that takes its place.
        shared = term.removeprefix("pst_")
        yield _row(label, f"{joint[shared]:,}" if shared in joint else "", f"{parts[term]:,}")
    yield _row("total", f"{joint['total']:,}", f"{parts['total']:,}")
    yield _row("ratio", f"{e['ratio']:.4f}")


def _counters(c: dict[str, Any]) -> Iterator[str]:
    yield "(iv) Counters, in MAC"
    yield _row("", "Transformer", "D-Transformer")
    for name in ("analytic", "torch", "fvcore", "ptflops"):
        found: dict[str, int] = c[name] or {}
        equal = (
            ""
            if name == "analytic" or not found
            else "  equal"
            if found == c["analytic"]
            else "  differs"
        )
        yield (
            _row(name + equal, *(f"{macs:,}" for macs in found.values()))
            if found
            else _row(name, "-", "-")
        )
    yield from _wrapped(c["note"])


def _clock(d: dict[str, Any]) -> Iterator[str]:
    m, live = d["measured"], d["live_bytes"]
    forwards = [m["transformer"], m["d_transformer"]]
    yield f"(v) Measured: {m['timed']}"
    if any(f["runs"] for f in forwards):
        host = m["host"]
        yield from _wrapped(
            f"on {host['threads']} thread{'s' * (host['threads'] != 1)} of {host['cpu']}, torch"
            f" {host['torch']}"
        )
        yield _row("", "Transformer", "D-Transformer")
        yield _row("time in s, median", *(_figure(f["seconds"], 1) for f in forwards))
        yield _row("          fastest", *(_figure(f["fastest"], 1) for f in forwards))
        yield _row("          slowest", *(_figure(f["slowest"], 1) for f in forwards))
        yield _row("          forwards", *(f"{f['runs']}" for f in forwards))
        yield _row(
            "peak memory in MiB, over the weights",
            *(_figure(f["peak_bytes"], 2**20) for f in forwards),
        )
        yield _row(
            "    predicted: live activations",
            *(_figure(live[name], 2**20) for name in ("transformer", "d_transformer")),
        )
    for name, forward in zip(("Transformer", "D-Transformer"), forwards, strict=True):
        if forward["reason"]:
            yield from _wrapped(f"{name} not run: {forward['reason']}")
        elif _noisy(forward):
            times = forward["slowest"] / forward["fastest"]
            yield from _wrapped(
                f"{name}: NOISY, its slowest forward took {times:.1f} times its fastest; is the"
                " machine doing other work?"
            )


def _noisy(forward: dict[str, Any]) -> bool:
    return forward["runs"] > 0 and forward["slowest"] > NOISY * forward["fastest"]


def _claims(claims: list[dict[str, str]]) -> Iterator[str]:
    yield "What section 3.3 says of these formulas, checked"
    for claim in claims:
        yield f"  {claim['verdict']:<7}{claim['place']}: {claim['statement']}"
        yield from textwrap.wrap(
            claim["finding"], 78, initial_indent=" " * 9, subsequent_indent=" " * 9
        )


def _figure(value: float | None, unit: int) -> str:
    return "-" if value is None else f"{value / unit:#.4g}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 78, initial_indent="    ", subsequent_indent="      ")
