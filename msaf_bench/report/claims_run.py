"""What the records of a run say of a claim of the paper: measured text, verdict, and the reason for it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from msaf_bench.analyzers.speed.comparison import UNRANKED
from msaf_bench.catalog import read_conditions
from msaf_bench.report.cells import mean_span, number
from msaf_bench.report.checks import Best, Parameters, Ratio
from msaf_bench.report.findings import Summary, Verdict
from msaf_bench.report.subjects import RowSummary
from msaf_bench.spec import Claim, Ordering, Table
from msaf_bench.stats import judge, paired_difference, power_sentence

Word = Literal["reproduced", "contradicted", "undecided", "not comparable", "consistent", "inconsistent"]
Judged = tuple[str, Word, str]  # measured, verdict, reason
Rows = Mapping[str, RowSummary]  # by label

NEVER = {  # why a printed column can never be compared with ours
    "miou_test": "val is scored here, this is of test",
    "tc": "the paper names neither the flow nor the frames of its TC",
    "fps": "the paper does not name its hardware",
}
NO_PART = {"preset", "watermark", "flow", "consistency", "checkpoint_every"}  # conditions without a part in the mIoU


def judge_cell(claim: Claim, table: Table, row: RowSummary | None, summary: Summary) -> Judged:
    """A printed number: comparable where data, split, recipe and networks are the printed ones; then our interval holds it or does not."""
    own = row.interval if row and claim.metric == "miou" else None
    measured = mean_span(own) if own else ""
    dagger, style = f"† {claim.provenance}" if claim.dagger else "", in_style([claim.row], {claim.row: row} if row else {})
    ill = row.ill if own and row else ""
    against = [*filter(None, [NEVER.get(claim.metric), dagger, _absent(row, claim.row, table), style, ill])]
    if against or own is None:
        return measured, "not comparable", "; ".join(against)
    if other := [*_other_conditions(summary, table)]:
        return measured, "not comparable", "; ".join(other)
    if own.low is None or own.high is None:
        return measured, "undecided", "one seed gives no interval; the paper prints one run and no spread"
    start = f"backbones start here from {' and '.join(summary.starts)}, in the paper it is not said"
    if own.low <= claim.value <= own.high:
        return measured, "reproduced", f"the printed number lies in our interval; {start}"
    gap = claim.value - (own.high if claim.value > own.high else own.low)
    return measured, "contradicted", f"the printed number is {number(gap, signed=True)} points from the nearer end of our interval; {start}"


def in_style(labels: Iterable[str], rows: Rows) -> str:
    """Which of the rows are only in the style of their source: what follows from them is not of the published systems."""
    found = [row.shown for label in dict.fromkeys(labels) if (row := rows.get(label)) and row.system and row.system.style]
    return f"only in the style of the source: {', '.join(found)}" if found else ""


def _absent(row: RowSummary | None, label: str, table: Table) -> str:
    """Why a row has no number of ours; empty where it has one."""
    if row and row.measured:
        return ""
    if label not in table.built:
        return f"{label} is only printed: it has no system here"
    return f"{label}: {row.state}" if row else f"{label} is not in this run"


def _all_absent(labels: Iterable[str], rows: Rows, table: Table) -> str:
    return "; ".join(dict.fromkeys(filter(None, (_absent(rows.get(label), label, table) for label in labels))))


def _other_conditions(summary: Summary, table: Table) -> Iterator[str]:
    """In what the run differs from what was printed, as far as mIoU goes."""
    c = summary.conditions
    if c.data != table.data:
        yield f"measured on {c.data}, printed for {table.data or 'a data set that the table does not name'}"
    yield from _shrunk(summary)
    if c.preset != "paper":
        yield f"preset {c.preset}, not the paper's recipe"
        return
    printed, ours = read_conditions("paper", c.data).model_dump(), c.model_dump()
    yield from (f"{key} {ours[key]}, not {printed[key]}" for key in ours if ours[key] != printed[key] and key not in NO_PART)


def _shrunk(summary: Summary) -> Iterator[str]:
    if summary.conditions.shrink or summary.conditions.shrink_options:
        yield "the networks are shrunk"


def judge_ordering(ordering: Ordering, table: Table, rows: Rows, summary: Summary) -> Judged:
    """That one row beats another: by the paired differences of our seeds, whatever the data and the size of the networks."""
    ends = (ordering.better, ordering.worse)
    found = next((v for v in summary.verdicts if (v.better, v.worse) == ends), None)
    absent = _all_absent(ends, rows, table)
    if found is None or absent:
        return "", "not comparable", absent or "not judged in this run"
    gap = found.difference.interval if found.difference else None
    reason, other = because(found), "; ".join(_other_conditions(summary, table))
    if found.decision == "undecided" and found.points and gap and gap.sd:
        reason += f" {power_sentence(abs(found.points), gap.sd, gap.n)}"
    reason += f" Other conditions: {other}." if other else ""
    reason += f" {style[0].upper()}{style[1:]}." if (style := in_style(ends, rows)) else ""
    return mean_span(gap, signed=True) if gap else "", found.decision, reason


def because(verdict: Verdict) -> str:
    """What a verdict on an ordering rests on, in words."""
    if verdict.against:
        return f"{verdict.against}."
    if verdict.difference is None:
        return "No seed finished in both rows."
    if verdict.difference.interval.low is None:
        return "One shared seed gives no interval."
    where = {
        "reproduced": "The whole interval lies above zero",
        "contradicted": "The whole interval lies below zero: the order is the other way round here",
        "undecided": "The interval includes zero",
    }[verdict.decision]
    if verdict.covers is None:
        return f"{where}."
    return f"{where}; it {'contains' if verdict.covers else 'does not contain'} the printed difference."


def judge_parameters(check: Parameters, table: Table, rows: Rows, summary: Summary) -> Judged:
    """By the parameters of the networks of this run."""
    more, fewer = (row.params if (row := rows.get(label)) else None for label in (check.more, check.fewer))
    if more is None or fewer is None:
        return "", "not comparable", _all_absent((check.more, check.fewer), rows, table)
    reason = "; ".join(["counted, not estimated", *_shrunk(summary)])
    return f"{more:,} against {fewer:,}", "reproduced" if more > fewer else "contradicted", reason


def judge_ratio(check: Ratio, table: Table, rows: Rows) -> Judged:
    """Between rows that were timed in this run, on one machine under one set of conditions, and whose numbers may be ranked."""
    alone = "FPS are compared only where both rows of every pair are timed here, with numbers that may be ranked"
    if absent := _all_absent([label for pair in check.pairs for label in pair], rows, table):
        return "", "not comparable", f"{alone}; {absent}"
    found = {
        (pair, mine.conditions.mode): mine.fps / other.fps
        for pair in check.pairs
        for mine in rows[pair[0]].measures.speeds
        for other in rows[pair[1]].measures.speeds
        if mine.conditions == other.conditions and mine.host == other.host and mine.fps and other.fps
        if not {*UNRANKED} & {word for word, _ in (*mine.flags, *other.flags)}
    }
    if {pair for pair, _ in found} != set(check.pairs):
        return "", "not comparable", alone
    right = all(check.low <= round(ratio) <= check.high for ratio in found.values())
    text = ", ".join(f"{a} / {b} {ratio:.2f} ({mode})" for ((a, b), mode), ratio in found.items())
    style = in_style([label for pair in check.pairs for label in pair], rows)
    reason = "; ".join(filter(None, ["of this machine; ratios are rounded to whole numbers, as in the text", style]))
    return text, "reproduced" if right else "contradicted", reason


def judge_best(check: Best, metric: str, table: Table, rows: Rows) -> Judged:
    """By paired differences of mIoU: the model's row that is best here against every other model's in its group.

    The model's rows that are printed for other conditions, such as smaller frames, are left out.
    """
    if metric != "miou":
        return "", "not comparable", NEVER["miou_test"] if metric == "miou_test" else "rows are ranked here by mIoU only"
    stitched = {claim.row for claim in table.claims() if claim.metric == metric and claim.dagger}
    groups = [([row for row in mine if row not in stitched], others) for mine, others in check.groups(table, metric).values()]
    needed = [label for both in groups for half in both for label in half]
    there = {label: rows[label].measured for label in needed if label in rows and rows[label].measured}
    if len(there) < len(needed):
        return "", "not comparable", f"{len(there)} of the {len(needed)} rows that it is about are measured"
    if ill := [rows[label].ill for label in needed if rows[label].dead]:
        return "", "not comparable", "; ".join(ill)
    found: list[tuple[str, Word]] = []
    for mine, others in groups:
        first = max(mine, key=lambda label: sum(there[label].values()) / len(there[label]))
        for other in others:
            difference = paired_difference(there[first], there[other])
            gap = difference.interval if difference else None
            found.append((f"{first} - {other} {mean_span(gap, signed=True)}", judge(gap)))
    words = {word for _, word in found}
    verdict: Word = "contradicted" if "contradicted" in words else "undecided" if "undecided" in words else "reproduced"
    reason = "; ".join(filter(None, ["every difference must lie above zero with its whole interval", in_style(needed, rows)]))
    return ", ".join(text for text, _ in found), verdict, reason
