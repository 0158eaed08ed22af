"""Verdicts on the paper's numbers and sentences, with reasons.

Two scopes that are never mixed: "run" asks whether our records agree with the paper, "paper"
whether the paper agrees with itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from msaf_bench.claims.checks import Best, Parameters, Ratio
from msaf_bench.claims.judge import (
    Judged,
    Rows,
    judge_best,
    judge_cell,
    judge_ordering,
    judge_parameters,
    judge_ratio,
)
from msaf_bench.claims.paper import COLUMN, Tables, column_of, printed
from msaf_bench.claims.sentences import (
    Sentence,
    check_ordering,
    daggers,
    read_sentences,
    read_tables,
)
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.wording import RUN_WORDS, Word
from msaf_bench.spec import Claim, Ordering, Table

Scope = Literal["run", "paper"]
PaperWord = Literal["inconsistent", "consistent"]
WORDS: dict[Scope, tuple[Word | PaperWord, ...]] = {
    "run": RUN_WORDS,
    "paper": ("inconsistent", "consistent"),
}


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim of the paper with the evidence, the verdict and its reason."""

    id: str
    scope: Scope
    kind: str  #: "cell", "ordering", or the kind of the sentence's check
    text: str
    place: str
    provenance: str  #: origin of the printed numbers, if known
    printed: str
    measured: str  #: result of our records; in scope "paper", of the paper's own numbers
    verdict: Word | PaperWord
    reason: str


def claims_of(summary: Summary) -> tuple[ClaimVerdict, ...]:
    """Return all claims on the run's table, then those that the paper's own numbers settle.

    Includes every ordering with a verdict of the run, even if only the printed numbers imply it.
    A table of the paper is judged whole, with the rows missing in this run. Empty for a table
    without printed numbers.
    """
    tables = read_tables()
    shipped = tables.get(summary.table.name)
    table = shipped if shipped and shipped.source == summary.table.source else summary.table
    if not table.claims():
        return ()
    rows = {row.label: row for row in summary.rows}
    found = [
        _cell(claim, table, judge_cell(claim, table, rows.get(claim.row), summary))
        for claim in table.claims()
    ]
    said = {(ordering.better, ordering.worse) for ordering in table.orderings}
    implied = (
        Ordering(better=v.better, worse=v.worse, source=v.source)
        for v in summary.verdicts
        if (v.better, v.worse) not in said
    )
    found += [
        _ordering(ordering, table, judge_ordering(ordering, table, rows, summary))
        for ordering in (*table.orderings, *implied)
    ]
    if table is shipped:
        found += [
            claim
            for sentence in read_sentences()
            for claim in _sentence(sentence, table, rows, summary)
        ]
    return (*found, *paper_claims(tables))


def paper_claims(tables: Tables) -> tuple[ClaimVerdict, ...]:
    """Return every sentence and ordering that the paper's own numbers or known facts settle."""
    found = [
        (s.id, s.check.kind, s.text, s.place, s.note, s.check.judge(tables))
        for s in read_sentences()
        if not isinstance(s.check, Parameters)
    ]
    found += [
        (_name(o, table), "ordering", _says(o), o.source, "", check_ordering(o, table))
        for table in tables.values()
        for o in table.orderings
    ]
    return tuple(
        ClaimVerdict(
            id=name,
            scope="paper",
            kind=kind,
            text=text,
            place=place,
            provenance="; ".join(daggers(finding, tables)),
            printed=finding.says,
            measured=finding.found,
            verdict="consistent" if finding.consistent else "inconsistent",
            reason=note,
        )
        for name, kind, text, place, note, finding in found
    )


def counted(claims: Sequence[ClaimVerdict], scope: Scope) -> str:
    """Return the number of claims per verdict in a scope, as text in the order of the words."""
    counts = {
        word: sum(c.verdict == word and c.scope == scope for c in claims) for word in WORDS[scope]
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "none"


def _cell(claim: Claim, table: Table, judged: Judged) -> ClaimVerdict:
    name = f"{table.name}: {claim.row}: {claim.metric}"
    text, value = f"{claim.row}: {COLUMN[claim.metric]}", printed(claim.metric, claim.value)
    if claim.dagger:
        value += "†"
    return ClaimVerdict(name, "run", "cell", text, claim.place, claim.provenance, value, *judged)


def _ordering(ordering: Ordering, table: Table, judged: Judged) -> ClaimVerdict:
    column = column_of(table, "miou")
    known = ordering.better in column and ordering.worse in column
    gap = f"{column[ordering.better] - column[ordering.worse]:+.1f}" if known else ""
    name, text = _name(ordering, table), _says(ordering)
    return ClaimVerdict(
        name, "run", "ordering", text, ordering.source, table.provenance, gap, *judged
    )


def _sentence(
    sentence: Sentence, table: Table, rows: Rows, summary: Summary
) -> Iterator[ClaimVerdict]:
    """Yield the verdicts of this run on a sentence.

    Nothing for sentences on other tables, or that repeat cells: cells are judged separately.
    """
    judged: list[tuple[str, str, Judged]] = []
    match sentence.check:
        case Parameters(table=table.name) as check:
            judged.append(("", "more", judge_parameters(check, table, rows, summary)))
        case Ratio(table=table.name) as check:
            judged.append(
                ("", f"{check.low} to {check.high} times", judge_ratio(check, table, rows))
            )
        case Best(table=table.name) as check:
            judged += [
                (
                    f": {metric}",
                    f"the largest {COLUMN[metric]}",
                    judge_best(check, metric, table, rows, summary),
                )
                for metric in check.metrics
            ]
        case _:
            pass
    for metric, said, found in judged:
        name, kind = f"{sentence.id}{metric}", sentence.check.kind
        yield ClaimVerdict(
            name, "run", kind, sentence.text, sentence.place, table.provenance, said, *found
        )


def _name(ordering: Ordering, table: Table) -> str:
    return f"{table.name}: {ordering.better} > {ordering.worse}"


def _says(ordering: Ordering) -> str:
    points = "" if ordering.points is None else f" by {ordering.points:g} points"
    return f"{ordering.better} beats {ordering.worse}{points}"
