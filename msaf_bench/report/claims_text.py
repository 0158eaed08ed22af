"""Claims and their verdicts as Markdown and as CSV."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields

from msaf_bench.findings.summary import Summary
from msaf_bench.report.cells import made_how, markdown_text, pipes
from msaf_bench.report.claims import WORDS, ClaimVerdict, Scope, counted
from msaf_bench.report.plain_values import said_values
from msaf_bench.report.tables import csv_lines

TITLES: dict[Scope, str] = {
    "run": "What this run says of the paper",
    "paper": "The paper against itself",
}
HEADS: dict[Scope, tuple[str, ...]] = {
    "run": ("claim", "where", "verdict", "printed", "measured", "reason"),
    "paper": ("claim", "where", "verdict", "says", "its numbers", "note", "cells with a dagger"),
}


def claims_to_csv(summary: Summary, claims: Sequence[ClaimVerdict]) -> str:
    """One line a claim, its fields as columns; watermark and notes repeat on every line."""
    said = said_values(summary)
    heads = (*(field.name for field in fields(ClaimVerdict)), *said)
    return csv_lines(
        heads, ((*map(str, asdict(claim).values()), *said.values()) for claim in claims)
    )


def claims_to_markdown(summary: Summary, claims: Sequence[ClaimVerdict]) -> str:
    """A line of conditions, then for each scope its counts and a table, sorted by verdict."""
    lines = [
        f"**Claims: {markdown_text(summary.table.source)}** · {markdown_text(made_how(summary))}",
        "",
    ]
    for note in summary.notes:
        lines += [f"> {markdown_text(note)}", ""]
    if summary.table.provenance:
        lines += [
            (
                f"Printed under: {markdown_text(summary.table.provenance)}. † a number that was"
                " made otherwise."
            ),
            "",
        ]
    for scope in WORDS:
        lines += _block(scope, claims)
    return "\n".join(lines)


def by_verdict(claims: Sequence[ClaimVerdict], scope: Scope) -> list[ClaimVerdict]:
    """The claims of a scope, those with the first verdict of `WORDS` first, else in the order
    given.
    """
    return sorted(
        (c for c in claims if c.scope == scope), key=lambda c: WORDS[scope].index(c.verdict)
    )


def _block(scope: Scope, claims: Sequence[ClaimVerdict]) -> Iterator[str]:
    yield from (f"## {TITLES[scope]}", "", f"{counted(claims, scope)}.", "")
    yield from (pipes(HEADS[scope]), "|---" * len(HEADS[scope]) + "|")
    for c in by_verdict(claims, scope):
        cells = (c.text, c.place, c.verdict, c.printed, c.measured, c.reason, c.provenance)
        yield pipes(cells[: len(HEADS[scope])])
    yield ""
