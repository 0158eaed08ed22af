"""`msaf-bench flops` as text for a terminal."""

import textwrap
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

FOOTNOTES = """\
Notes on (i), the formulas as printed:
  n     Section 3.3 sets n = C x H x W and calls it the number of pixels; only
        n = H x W gives the formulas a meaning, and is used here.
  Eq. 1 3n tokens have (3n)^2 = 9n^2 pairs, not 3n^3. Against 9n^2 the
        decoupling of three frames saves at most a factor of 3.
  Eq. 7 charges a DCN K^2 n = 9n; it takes 9n d^2 MAC at width d.
  text  The difference grows "linearly": it is cubic, 3n(n^2 - n - 8); the ratio
        grows linearly. "lim ratio = n" is no limit: ratio / n tends to 1.
Notes on (ii): D-Transformer with maps smaller by 4, 2, 1 along each axis, odd
  sizes rounded up; MLP ratio 4. Not counted, as it is elementwise: softmax,
  LayerNorm, GELU, biases, residuals, resizing, the DCN's bilinear reads."""

GROWTH = {
    "paper": "paper, relations",
    "exact": "exact, MAC",
    "predicted": "exact, MAC, at the sizes timed",
    "seconds": "measured, time",
    "peak_bytes": "measured, memory (1: no map is held)",
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
    """Lines of up to 80 columns, longer only for numbers that are: for each size the formulas, the exact count, the counters, the clock."""
    for d in documents:
        yield from (f"{d['grid'][0]}x{d['grid'][1]} feature map: n = {d['n']:,} pixels, 3 frames, width {d['width']}", "")
        yield from (*_paper(d["paper"]), "", *_exact(d["exact"], d["width"]), "", *_counters(d["counters"]), "")
        if "measured" in d:
            yield from (*_clock(d["measured"]), "")
    yield FOOTNOTES
    if "exponents" in whole:
        yield from ("", "Growth: a in cost ~ n^a, fitted over the sizes", _row("", "Transformer", "D-Transformer"))
        for key in (key for key in GROWTH if key in whole["exponents"]):
            yield _row(GROWTH[key], *("-" if a is None else f"{a:.3f}" for a in whole["exponents"][key].values()))
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


def _decimal(ratio: Fraction) -> str:
    """To four decimals, exactly, however large."""
    whole, rest = divmod(round(ratio * 10**4), 10**4)
    return f"{whole:,}.{rest:04}"


def _exact(e: dict[str, Any], width: int) -> Iterator[str]:
    joint, parts = e["transformer"], e["d_transformer"]
    yield f"(ii) Exact count at width {width}, in MAC (1 MAC = 2 FLOPs)"
    yield _row("", "Transformer", "D-Transformer")
    for term, label in TERMS.items():
        # The joint block stands beside PST, the part that takes its place.
        shared = term.removeprefix("pst_")
        yield _row(label, f"{joint[shared]:,}" if shared in joint else "", f"{parts[term]:,}")
    yield _row("total", f"{joint['total']:,}", f"{parts['total']:,}")
    yield _row("ratio", f"{e['ratio']:.4f}")


def _counters(c: dict[str, Any]) -> Iterator[str]:
    yield "(iii) Counters, in MAC"
    yield _row("", "Transformer", "D-Transformer")
    for name in ("analytic", "torch", "fvcore", "ptflops"):
        found: dict[str, int] = c[name] or {}
        equal = "" if name == "analytic" or not found else "  equal" if found == c["analytic"] else "  differs"
        yield _row(name + equal, *(f"{macs:,}" for macs in found.values())) if found else _row(name, "-", "-")
    yield from _wrapped(c["note"])


def _clock(m: dict[str, Any]) -> Iterator[str]:
    forwards = [m["transformer"], m["d_transformer"]]
    yield f"(iv) Measured: {m['timed']}"
    if runs := max(f["runs"] for f in forwards):
        host = m["host"]
        yield f"     on {host['threads']} threads of {host['cpu']}, torch {host['torch']}"
        yield _row("", "Transformer", "D-Transformer")
        yield _row(f"time in s, median of {runs}", *(_figure(f["seconds"], 1) for f in forwards))
        yield _row("          fastest", *(_figure(f["fastest"], 1) for f in forwards))
        yield _row("          slowest", *(_figure(f["slowest"], 1) for f in forwards))
        yield _row("peak memory in MiB, over the weights", *(_figure(f["peak_bytes"], 2**20) for f in forwards))
    for name, forward in zip(("Transformer", "D-Transformer"), forwards, strict=True):
        if forward["reason"]:
            yield from _wrapped(f"{name} not run: {forward['reason']}")


def _figure(value: float | None, unit: int) -> str:
    return "-" if value is None else f"{value / unit:#.4g}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 78, initial_indent="    ", subsequent_indent="      ")
