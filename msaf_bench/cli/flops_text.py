"""Terminal output of `msaf-bench flops --n`."""

import textwrap
from collections.abc import Iterator, Sequence
from fractions import Fraction

from msaf_bench.analyzers.attention.clock import Forward
from msaf_bench.analyzers.attention.complexity import (
    CROSSOVER,
    MLP_RATIO,
    PYRAMID,
    TRANSFORMERS,
    AttentionCost,
    Relations,
)
from msaf_bench.analyzers.attention.measurement import (
    COUNTERS,
    NOT_RUN,
    TIMED,
    AttentionMeasurement,
)
from msaf_bench.analyzers.attention.statements import Statement
from msaf_bench.analyzers.attention.study import AttentionStudy, MeasuredCost

FOOTNOTE = f"""\
(iii) counts a D-Transformer with maps reduced by {", ".join(map(str, PYRAMID))} along each axis,
odd sizes rounded up; MLP ratio {MLP_RATIO}. It excludes elementwise work: softmax,
LayerNorm, GELU, biases, residuals, resizing, the DCN's bilinear reads."""

NOISY = 1.5  #: ratio of slowest to fastest forward pass above which a time is marked NOISY

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


def attention_lines(study: AttentionStudy, files: Sequence[str] = ()) -> Iterator[str]:
    """Yield the lines of an attention study: formulas, exact count, counters, times per size.

    Lines have up to 80 columns unless a number is longer.
    """
    for cost in study.sizes:
        analytic = cost.analytic
        yield (
            f"{analytic.grid} feature map: n = {analytic.grid.pixels:,} pixels, 3 frames, width"
            f" {analytic.width}"
        )
        yield from ("", *_paper(analytic.paper), "", *_pairs(analytic), "", *_exact(analytic))
        yield from ("", *_counters(cost), "")
        if cost.measured:
            yield from (*_clock(cost.measured), "")
    yield from (FOOTNOTE, "", *_statements(study.statements))
    if study.exponents:
        yield from ("", *_growth(study))
    yield from (f"wrote {path}" for path in files)


def _growth(study: AttentionStudy) -> Iterator[str]:
    yield "Growth: a in cost ~ n^a, fitted over the sizes"
    yield _row("", "Transformer", "D-Transformer")
    fits = study.exponents
    for key, label in GROWTH.items():
        if key not in fits or (key == "predicted" and fits[key] == fits["exact"]):
            continue
        yield _row(label, *("-" if a is None else f"{a:.3f}" for a in fits[key].values()))
    measured = [cost.measured for cost in study.sizes if cost.measured]
    if any(_noisy(forward) for each in measured for forward in each.forwards.values()):
        yield "    Some times, and so their exponent, are NOISY: measure on an idle machine."


def _row(label: str, *cells: str) -> str:
    return f"    {label:<36}" + "".join(f" {cell:>19}" for cell in cells)


def _paper(p: Relations) -> Iterator[str]:
    yield "(i) The paper's formulas, in relations"
    yield _row("Transformer     Eq. 1   3n^3", f"{p.transformer:,}")
    yield _row("PST             Eq. 4   3n^2", f"{p.pst:,}")
    yield _row("ATT             Eq. 7   24n", f"{p.att:,}")
    yield _row("D-Transformer   Eq. 8   3n^2 + 24n", f"{p.d_transformer:,}")
    yield _row("difference              Eq. 1 - Eq. 8", f"{p.transformer - p.d_transformer:,}")
    yield _row("ratio                   Eq. 1 / Eq. 8", _decimal(p.ratio))
    yield _row("                        exactly", str(p.ratio))
    yield _row("crossover, n            (1+sqrt 33)/2", f"{CROSSOVER:.4f}")


def _pairs(cost: AttentionCost) -> Iterator[str]:
    p = cost.pairs
    yield "(ii) Pairs of tokens that attend to each other, without down-sampling"
    yield _row("Transformer             9n^2", f"{p.transformer:,}")
    yield _row("D-Transformer           3n^2 + 9n", f"{p.d_transformer:,}")
    yield _row("ratio                   3n/(n + 3)", _decimal(p.ratio))
    yield f"     and QK^T, AV of these pairs at width {cost.width}, in MAC"
    yield _row("Transformer             2d 9n^2", f"{2 * cost.width * p.transformer:,}")
    yield _row("D-Transformer           2d (3n^2 + 9n)", f"{2 * cost.width * p.d_transformer:,}")


def _decimal(ratio: Fraction) -> str:
    """Format a ratio of any size, correctly rounded to four decimals."""
    whole, rest = divmod(round(ratio * 10**4), 10**4)
    return f"{whole:,}.{rest:04}"


def _exact(cost: AttentionCost) -> Iterator[str]:
    joint, parts = cost.transformer, cost.d_transformer
    yield f"(iii) Exact count at width {cost.width}, in MAC (1 MAC = 2 FLOPs)"
    yield _row("", "Transformer", "D-Transformer")
    for term, label in TERMS.items():
        # The joint block is shown next to PST, which replaces it.
        shared = term.removeprefix("pst_")
        yield _row(label, f"{joint[shared]:,}" if shared in joint else "", f"{parts[term]:,}")
    yield _row("total", *(f"{total:,}" for total in cost.totals.values()))
    yield _row("ratio", f"{cost.exact_ratio:.4f}")


def _counters(cost: MeasuredCost) -> Iterator[str]:
    totals = cost.analytic.totals
    yield "(iv) Counters, in MAC"
    yield _row("", "Transformer", "D-Transformer")
    yield _row("analytic", *(f"{macs:,}" for macs in totals.values()))
    for name in COUNTERS:
        macs = cost.measured.counts[name].macs if cost.measured else None
        if macs:
            verdict = "equal" if macs == totals else "differs"
            yield _row(f"{name}  {verdict}", *(f"{count:,}" for count in macs.values()))
        else:
            yield _row(name, "-", "-")
    yield from _wrapped(cost.measured.reasons if cost.measured else NOT_RUN)


def _clock(measured: AttentionMeasurement) -> Iterator[str]:
    forwards = [measured.forwards[name] for name in TRANSFORMERS]
    live = [measured.live_bytes[name] for name in TRANSFORMERS]
    yield f"(v) Measured: {TIMED}"
    if any(forward.runs for forward in forwards):
        host = measured.host
        threads = "thread" if host.threads == 1 else "threads"
        yield from _wrapped(f"on {host.threads} {threads} of {host.cpu}, torch {host.torch}")
        yield _row("", "Transformer", "D-Transformer")
        yield _row("time in s, median", *(_figure(f.seconds, 1) for f in forwards))
        yield _row("          fastest", *(_figure(f.fastest, 1) for f in forwards))
        yield _row("          slowest", *(_figure(f.slowest, 1) for f in forwards))
        yield _row("          forwards", *(f"{f.runs}" for f in forwards))
        yield _row(
            "peak memory in MiB, over the weights",
            *(_figure(f.peak_bytes, 2**20) for f in forwards),
        )
        yield _row("    predicted: live activations", *(_figure(each, 2**20) for each in live))
    for name, forward in zip(("Transformer", "D-Transformer"), forwards, strict=True):
        if forward.reason:
            yield from _wrapped(f"{name} not run: {forward.reason}")
        elif forward.slowest and forward.fastest and _noisy(forward):
            times = forward.slowest / forward.fastest
            yield from _wrapped(
                f"{name}: NOISY, the slowest forward pass took {times:.1f} times as long as the"
                " fastest; measure on an idle machine"
            )


def _noisy(forward: Forward) -> bool:
    """Return whether the times of a forward pass spread too far."""
    if forward.slowest is None or forward.fastest is None:
        return False
    return forward.slowest > NOISY * forward.fastest


def _statements(statements: Sequence[Statement]) -> Iterator[str]:
    yield "Statements of section 3.3 about these formulas, checked"
    for checked in statements:
        verdict = "true" if checked.holds else "false"
        yield f"  {verdict:<7}{checked.place}: {checked.statement}"
        yield from textwrap.wrap(
            checked.finding, 78, initial_indent=" " * 9, subsequent_indent=" " * 9
        )


def _figure(value: float | None, unit: int) -> str:
    return "-" if value is None else f"{value / unit:#.4g}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 78, initial_indent="    ", subsequent_indent="      ")
