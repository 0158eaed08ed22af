"""What the records of a run say of a claim of the paper: measured text, verdict, and the reason for
it.
"""

from collections.abc import Iterable, Mapping

from msaf_bench.analyzers.speed.comparison import UNRANKED
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
    Interval,
    judge,
    level_of_each,
    paired_difference,
    power_sentence,
    prediction_interval,
)

Judged = tuple[str, Word, str]  # measured, verdict, reason
Rows = Mapping[str, RowSummary]  # by label

ENOUGH = 5  #: seeds from which a printed number is compared with ours; fewer hold almost any number
NEVER = {  # why a printed column can never be compared with ours
    "miou_test": "val is scored here, this is of test",
    "tc": "the paper names neither the flow nor the frames of its TC",
    "fps": "the paper does not name its hardware",
}


def judge_cell(claim: Claim, table: Table, row: RowSummary | None, summary: Summary) -> Judged:
    """A printed number, which is one run: comparable where data, split, recipe and networks are the
    printed ones.

    Reproduced where the 95 % interval of one more run of ours holds it, contradicted where the
    interval that holds together for all printed numbers of the table does not.
    """
    own = row.interval if row and claim.metric == "miou" else None
    measured = mean_span(own) if own else ""
    dagger, style = (
        f"† {claim.provenance}" if claim.dagger else "",
        in_style([claim.row], {claim.row: row} if row else {}),
    )
    ill = row.ill if own and row else ""
    against = [
        *filter(None, [NEVER.get(claim.metric), dagger, _absent(row, claim.row, table), style, ill])
    ]
    if against or own is None or row is None:
        return measured, "not comparable", "; ".join(against)
    if other := other_conditions(summary.conditions, table):
        return measured, "not comparable", "; ".join(other)
    if own.n < ENOUGH:
        return (
            measured,
            "undecided",
            (
                f"the paper prints one run and no spread; that takes {ENOUGH} seeds, there"
                f" {_are(own.n)}"
            ),
        )
    values, cells = (
        list(row.measured.values()),
        sum(other.metric == "miou" and not other.dagger for other in table.claims()),
    )
    one = prediction_interval(values, within=PERCENT)
    every = prediction_interval(values, level_of_each(max(1, cells)), PERCENT)
    start = f"backbones start here from {' and '.join(summary.starts)}, in the paper it is not said"
    if _holds(one, claim.value):
        return (
            measured,
            "reproduced",
            f"one more run of ours would lie in {span(one)}, and the printed number does; {start}",
        )
    if _holds(every, claim.value):
        return (
            measured,
            "undecided",
            (
                f"outside of {span(one)}, where one more run of ours would lie, inside of"
                f" {span(every)}; {start}"
            ),
        )
    gap = claim.value - own.mean
    return (
        measured,
        "contradicted",
        (
            f"{number(gap, signed=True)} points from our mean; one more run would lie in"
            f" {span(every)}; {start}"
        ),
    )


def _holds(interval: Interval, value: float) -> bool:
    return (
        interval.low is not None
        and interval.high is not None
        and interval.low <= value <= interval.high
    )


def _are(seeds: int) -> str:
    return "is 1" if seeds == 1 else f"are {seeds}"


def in_style(labels: Iterable[str], rows: Rows) -> str:
    """Which of the rows are only in the style of their source: what follows from them is not of the
    published systems.
    """
    found = [
        row.shown
        for label in dict.fromkeys(labels)
        if (row := rows.get(label)) and row.system and row.system.style
    ]
    return f"only in the style of the source: {', '.join(found)}" if found else ""


def _absent(row: RowSummary | None, label: str, table: Table) -> str:
    """Why a row has no number of ours; empty where it has one."""
    if row and row.measured:
        return ""
    if label not in table.built:
        return f"{label} is only printed: it has no system here"
    return f"{label}: {row.state}" if row else f"{label} is not in this run"


def _all_absent(labels: Iterable[str], rows: Rows, table: Table) -> str:
    return "; ".join(
        dict.fromkeys(filter(None, (_absent(rows.get(label), label, table) for label in labels)))
    )


def judge_ordering(ordering: Ordering, table: Table, rows: Rows, summary: Summary) -> Judged:
    """That one row beats another: by the paired differences of our seeds, whatever the data and the
    size of the networks.
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
    reason += f" Other conditions: {other}." if other else ""
    reason += f" {style[0].upper()}{style[1:]}." if (style := in_style(ends, rows)) else ""
    return mean_span(gap, signed=True) if gap else "", found.word, reason


def because(verdict: Verdict) -> str:
    """The ground of a verdict on an ordering, in words."""
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
    """By the parameters of the networks of this run, where they are the published ones."""
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
    """Between rows that were timed in this run, on one machine under one set of conditions, and
    whose numbers may be ranked.

    Always a word for "here": the paper does not name its hardware.
    """
    alone = (
        "FPS are compared only where both rows of every pair are timed here, with numbers that may"
        " be ranked"
    )
    if absent := _all_absent([label for pair in check.pairs for label in pair], rows, table):
        return "", "not comparable", f"{alone}; {absent}"
    found = {
        (pair, mine.conditions.mode): mine.fps / other.fps
        for pair in check.pairs
        for mine in rows[pair[0]].measures.speeds
        for other in rows[pair[1]].measures.speeds
        if mine.conditions == other.conditions
        and mine.host == other.host
        and mine.fps
        and other.fps
        if not {*UNRANKED} & {word for word, _ in (*mine.flags, *other.flags)}
    }
    if {pair for pair, _ in found} != set(check.pairs):
        return "", "not comparable", alone
    right = all(check.low <= round(ratio) <= check.high for ratio in found.values())
    text = ", ".join(f"{a} / {b} {ratio:.2f} ({mode})" for ((a, b), mode), ratio in found.items())
    style = in_style([label for pair in check.pairs for label in pair], rows)
    reason = "; ".join(
        filter(
            None, ["of this machine; ratios are rounded to whole numbers, as in the text", style]
        )
    )
    return text, word_of("above" if right else "below", here=True), reason


def judge_best(check: Best, metric: str, table: Table, rows: Rows, summary: Summary) -> Judged:
    """By paired differences of mIoU of each of the model's rows to every other model's in its
    group.

    The intervals hold together for all these pairs, so that the best row may be chosen after
    looking. Rows of the model that are printed for other conditions, such as smaller frames, are
    left out.
    """
    if metric != "miou":
        return (
            "",
            "not comparable",
            NEVER["miou_test"] if metric == "miou_test" else "rows are ranked here by mIoU only",
        )
    stitched = {claim.row for claim in table.claims() if claim.metric == metric and claim.dagger}
    groups = [
        ([row for row in mine if row not in stitched], others)
        for mine, others in check.groups(table, metric).values()
    ]
    needed = [label for both in groups for half in both for label in half]
    there = {
        label: rows[label].measured for label in needed if label in rows and rows[label].measured
    }
    if len(there) < len(needed):
        return (
            "",
            "not comparable",
            f"{len(there)} of the {len(needed)} rows that it is about are measured",
        )
    if ill := [rows[label].ill for label in needed if rows[label].dead]:
        return "", "not comparable", "; ".join(ill)
    pairs = [(one, other) for mine, others in groups for one in mine for other in others]
    gaps = {
        pair: paired_difference(there[pair[0]], there[pair[1]], family=len(pairs)) for pair in pairs
    }
    words = {pair: judge(gap and gap.interval) for pair, gap in gaps.items()}
    found, texts = set[Decision](), list[str]()
    for mine, others in groups:
        first = max(mine, key=lambda label: sum(there[label].values()) / len(there[label]))
        wins = any(all(words[one, other] == "above" for other in others) for one in mine)
        loses = all(any(words[one, other] == "below" for other in others) for one in mine)
        found.add("above" if wins else "below" if loses else "undecided")
        texts += [
            f"{first} - {other} {mean_span(gap.interval, signed=True)}"
            for other in others
            if (gap := gaps[first, other])
        ]
    decision: Decision = (
        "below" if "below" in found else "undecided" if "undecided" in found else "above"
    )
    rule = (
        "one row of the model must beat every other row; intervals hold together for all"
        f" {len(pairs)} pairs"
    )
    style = in_style(needed, rows)
    return (
        ", ".join(texts),
        word_of(decision, here=bool(other_conditions(summary.conditions, table))),
        "; ".join(filter(None, [rule, style])),
    )
