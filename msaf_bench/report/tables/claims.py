"""Claims and their verdicts as Markdown and as CSV."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields

from msaf_bench.claims.verdicts import WORDS, ClaimVerdict, Scope, counted
from msaf_bench.report.tables.markdown import markdown_text, pipes
from msaf_bench.report.tables.values import csv_lines, said_values
from msaf_bench.report.view import View

TITLES: dict[Scope, str] = {
    "run": "Verdicts of this run on the paper's claims",
    "paper": "The paper against itself",
}
HEADS: dict[Scope, tuple[str, ...]] = {
    "run": ("claim", "where", "verdict", "printed", "measured", "reason"),
    "paper": ("claim", "where", "verdict", "says", "its numbers", "note", "cells with a dagger"),
}


def claims_to_csv(view: View) -> str:
    """Return the claims as CSV, one line each; watermark and notes repeat on every line."""
    said = said_values(view.summary)
    heads = (*(field.name for field in fields(ClaimVerdict)), *said)
    return csv_lines(
        heads, ((*map(str, asdict(claim).values()), *said.values()) for claim in view.claims)
    )


def claims_to_markdown(view: View) -> str:
    """Return the claims as Markdown: conditions, then counts and a sorted table for each scope."""
    summary = view.summary
    lines = [
        f"**Claims: {markdown_text(summary.table.source)}** · {markdown_text(view.made_how)}",
        "",
    ]
    for note in summary.notes:
        lines += [f"> {markdown_text(note)}", ""]
    if summary.table.provenance:
        lines += [
            (
                f"Printed under: {markdown_text(summary.table.provenance)}. † number produced"
                " otherwise."
            ),
            "",
        ]
    for scope in WORDS:
        lines += _block(scope, view.claims)
    return "\n".join(lines)


def by_verdict(claims: Sequence[ClaimVerdict], scope: Scope) -> list[ClaimVerdict]:
    """Return the claims of a scope, sorted by verdict in the order of `WORDS`."""
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
