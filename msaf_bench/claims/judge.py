"""Verdicts on the paper's claims from the records of a run, with measured text and reason."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from msaf_bench.analyzers.speed.comparison import UNRANKED
from msaf_bench.analyzers.speed.tasks import Speed
from msaf_bench.catalog import family_of
from msaf_bench.claims.checks import Best, Parameters, Ratio
from msaf_bench.findings.digits import mean_span, number, span
from msaf_bench.findings.subjects import RowSummary
from msaf_bench.findings.summary import Summary, Verdict
from msaf_bench.findings.wording import Word, other_conditions, shrunk, where_it_lies, word_of
from msaf_bench.spec import Claim, Ordering, Table
from msaf_bench.stats import (
    PERCENT,
    Decision,
    Difference,
    Interval,
    judge,
    level_of_each,
    paired_difference,
    power_sentence,
    prediction_interval,
)

Judged = tuple[str, Word, str]  # measured, verdict, reason
Rows = Mapping[str, RowSummary]  # row label -> row
Gaps = Mapping[tuple[str, str], Difference | None]  # (row, other row) -> row minus other row

ENOUGH = 5  #: seeds needed to compare a printed number; intervals of fewer are too wide
NEVER = {  # reason why a printed column can never be compared with ours
    "miou_test": "val is scored here, the printed number is for test",
    "tc": "the paper names neither the flow nor the frames of its TC",
    "fps": "the paper does not name its hardware",
}


def judge_cell(claim: Claim, table: Table, row: RowSummary | None, summary: Summary) -> Judged:
    """Judge a printed number, which is taken as a single run.

    Comparable under the paper's data, split, recipe and networks. Reproduced if the 95 % prediction
    interval for one more run of ours contains the number. Contradicted if the simultaneous
    prediction interval for all printed numbers of the table does not.

    Args:
        claim: the printed number
        table: the table it is printed in
        row: the row of the run; None if the run has no such row
        summary: the run
    """
    own = row.interval if row and claim.metric == "miou" else None
    measured = mean_span(own) if own else ""
    against = (
        NEVER.get(claim.metric, ""),
        f"† {claim.provenance}" if claim.dagger else "",
        _absent(row, claim.row, table),
        in_style([claim.row], {claim.row: row} if row else {}),
        row.ill if own and row else "",
    )
    if any(against) or own is None or row is None:
        return measured, "not comparable", _joined(*against)
    if other := other_conditions(summary.conditions, table):
        return measured, "not comparable", "; ".join(other)
    if own.n < ENOUGH:
        seeds = "is 1" if own.n == 1 else f"are {own.n}"
        few = f"the paper prints one run without spread; {ENOUGH} seeds are needed, there {seeds}"
        return measured, "undecided", few
    cells = [other for other in table.claims() if other.metric == "miou" and not other.dagger]
    word, reason = _one_more_run(claim.value, row, max(1, len(cells)))
    start = f"backbones start here from {' and '.join(summary.starts)}; the paper does not say"
    return measured, word, f"{reason}; {start}"


def _one_more_run(printed: float, row: RowSummary, cells: int) -> tuple[Word, str]:
    """Judge whether a printed number could be one more run of ours, alone and over all cells."""
    values = list(row.measured.values())
    one = prediction_interval(values, within=PERCENT)
    every = prediction_interval(values, level_of_each(cells), PERCENT)
    if _holds(one, printed):
        return (
            "reproduced",
            f"the printed number lies in {span(one)}, the interval for one more run of ours",
        )
    if _holds(every, printed):
        where = f"outside {span(one)}, the interval for one more run of ours"
        return "undecided", f"{where}, but inside {span(every)}, the one for all printed numbers"
    gap = number(printed - every.mean, signed=True)
    return (
        "contradicted",
        f"{gap} points from our mean; the interval for one more run is {span(every)}",
    )


def _joined(*reasons: str) -> str:
    """Join the non-empty reasons in one line."""
    return "; ".join(reason for reason in reasons if reason)


def _holds(interval: Interval, value: float) -> bool:
    return (
        interval.low is not None
        and interval.high is not None
        and interval.low <= value <= interval.high
    )


def in_style(labels: Iterable[str], rows: Rows) -> str:
    """Return a note that names the rows only in the style of their source; empty without any.

    Results of such rows do not carry over to the published systems.
    """
    found = [
        row.shown
        for label in dict.fromkeys(labels)
        if (row := rows.get(label)) and row.system and row.system.style
    ]
    return f"only in the style of the source: {', '.join(found)}" if found else ""


def _absent(row: RowSummary | None, label: str, table: Table) -> str:
    """Return why a row has no measured number; empty if it has one."""
    if row and row.measured:
        return ""
    if label not in table.built:
        return f"{label} is only printed: it has no system here"
    return f"{label}: {row.state}" if row else f"{label} is not in this run"


def _all_absent(labels: Iterable[str], rows: Rows, table: Table) -> str:
    return _joined(*dict.fromkeys(_absent(rows.get(label), label, table) for label in labels))


def judge_ordering(ordering: Ordering, table: Table, rows: Rows, summary: Summary) -> Judged:
    """Judge "one row beats another" by paired differences of our seeds, under any conditions.

    Args:
        ordering: the two rows
        table: the table of the paper
        rows: rows of the run, by label
        summary: the run
    """
    ends = (ordering.better, ordering.worse)
    found = next((v for v in summary.verdicts if (v.better, v.worse) == ends), None)
    absent = _all_absent(ends, rows, table)
    if found is None or absent:
        return "", "not comparable", absent or "not judged in this run"
    gap = found.difference.interval if found.difference else None
    reason, other = because(found), "; ".join(other_conditions(summary.conditions, table))
    if found.decision == "undecided" and not found.against and found.points and gap and gap.sd:
        level = level_of_each(family_of(summary.table))
        reason += f" {power_sentence(abs(found.points), gap.sd, gap.n, level)}"
    if other:
        reason += f" Other conditions: {other}."
    if style := in_style(ends, rows):
        reason += f" {style[0].upper()}{style[1:]}."
    return mean_span(gap, signed=True) if gap else "", found.word, reason


def because(verdict: Verdict) -> str:
    """Return the reason for a verdict on an ordering, as a sentence."""
    if verdict.against:
        return f"{verdict.against}."
    if verdict.difference is None:
        return "No seed finished in both rows."
    where = where_it_lies(verdict.decision, verdict.difference.interval, verdict.margin)
    if verdict.covers is None:
        return f"{where}."
    return (
        f"{where}; it {'contains' if verdict.covers else 'does not contain'} the printed"
        " difference."
    )


def judge_parameters(check: Parameters, table: Table, rows: Rows, summary: Summary) -> Judged:
    """Judge by the parameters of this run's networks, if they have their published size.

    Args:
        check: the two rows
        table: the table of the paper
        rows: rows of the run, by label
        summary: the run
    """
    more, fewer = (
        row.params if (row := rows.get(label)) else None for label in (check.more, check.fewer)
    )
    if more is None or fewer is None:
        return "", "not comparable", _all_absent((check.more, check.fewer), rows, table)
    measured = f"{more:,} against {fewer:,}"
    if shrunk(summary.conditions):
        return measured, "not comparable", "the networks are shrunk, some parts more than others"
    return measured, "reproduced" if more > fewer else "contradicted", "counted, not estimated"


def judge_ratio(check: Ratio, table: Table, rows: Rows) -> Judged:
    """Judge by rows timed in this run on one machine, under the same conditions.

    Not comparable if a latency has a flag of `UNRANKED`. The verdict always says "here", as the
    paper does not name its hardware.
    """
    alone = (
        "FPS are compared only if both rows of every pair are timed here, with numbers that may"
        " be ranked"
    )
    if absent := _all_absent([label for pair in check.pairs for label in pair], rows, table):
        return "", "not comparable", f"{alone}; {absent}"
    found = {
        pair: _ratios(*(rows[label].measures.speeds for label in pair)) for pair in check.pairs
    }
    if not all(found.values()):
        return "", "not comparable", alone
    every = [(pair, mode, ratio) for pair in found for mode, ratio in found[pair].items()]
    right = all(check.low <= round(ratio) <= check.high for *_, ratio in every)
    text = ", ".join(f"{a} / {b} {ratio:.2f} ({mode})" for (a, b), mode, ratio in every)
    style = in_style([label for pair in check.pairs for label in pair], rows)
    rounded = "of this machine; ratios are rounded to whole numbers, as in the text"
    reason = _joined(rounded, style)
    return text, word_of("above" if right else "below", here=True), reason


def _ratios(ours: Sequence[Speed], others: Sequence[Speed]) -> dict[str, float]:
    """Return FPS of one row divided by FPS of the other, by mode, from times that may be ranked."""
    found: dict[str, float] = {}
    for mine in ours:
        for other in others:
            flags = {word for word, _ in (*mine.flags, *other.flags)}
            alike = mine.conditions == other.conditions and mine.host == other.host
            if alike and mine.fps and other.fps and not flags & {*UNRANKED}:
                found[mine.conditions.mode] = mine.fps / other.fps
    return found


def judge_best(check: Best, metric: str, table: Table, rows: Rows, summary: Summary) -> Judged:
    """Judge by paired differences in mIoU between the model's rows and the other rows of a group.

    The intervals are simultaneous over all pairs, so the best row may be chosen after looking.
    Rows of the model printed for other conditions, such as smaller frames, are left out.

    Args:
        check: the model, its groups and columns
        metric: printed column; only `miou` is judged
        table: the table of the paper
        rows: rows of the run, by label
        summary: the run
    """
    if metric == "miou_test":
        return "", "not comparable", NEVER["miou_test"]
    if metric != "miou":
        return "", "not comparable", "rows are ranked here by mIoU only"
    stitched = {claim.row for claim in table.claims() if claim.metric == metric and claim.dagger}
    groups = [
        ([row for row in mine if row not in stitched], others)
        for mine, others in check.groups(table, metric).values()
    ]
    needed = [label for mine, others in groups for label in (*mine, *others)]
    there = {label: rows[label].measured for label in needed if label in rows}
    measured = [label for label, scores in there.items() if scores]
    if len(measured) < len(needed):
        few = f"only {len(measured)} of the {len(needed)} rows concerned are measured"
        return "", "not comparable", few
    if ill := [rows[label].ill for label in needed if rows[label].dead]:
        return "", "not comparable", "; ".join(ill)
    pairs = [pair for mine, others in groups for pair in product(mine, others)]
    gaps = {
        (one, other): paired_difference(there[one], there[other], family=len(pairs))
        for one, other in pairs
    }
    found: list[Decision] = [_best_of_group(*group, gaps) for group in groups]
    texts: list[str] = []
    for mine, others in groups:
        first = max(mine, key=lambda label: sum(there[label].values()) / len(there[label]))
        told = [(other, gap) for other in others if (gap := gaps[first, other])]
        texts += [
            f"{first} - {other} {mean_span(gap.interval, signed=True)}" for other, gap in told
        ]
    here = bool(other_conditions(summary.conditions, table))
    rule = (
        "one row of the model must beat every other row; intervals are simultaneous for all"
        f" {len(pairs)} pairs"
    )
    reason = _joined(rule, in_style(needed, rows))
    return ", ".join(texts), word_of(_all_groups(found), here=here), reason


def _best_of_group(mine: Sequence[str], others: Sequence[str], gaps: Gaps) -> Decision:
    """Return above if a row of the model beats all others, below if each is beaten by one."""
    words = {pair: judge(gap.interval if gap else None) for pair, gap in gaps.items()}
    if any(all(words[one, other] == "above" for other in others) for one in mine):
        return "above"
    if all(any(words[one, other] == "below" for other in others) for one in mine):
        return "below"
    return "undecided"


def _all_groups(found: Sequence[Decision]) -> Decision:
    """Return above if all groups are above, below if any group is below."""
    for decision in ("below", "undecided"):
        if decision in found:
            return decision
    return "above"
