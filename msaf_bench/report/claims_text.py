"""Claims and their verdicts as Markdown and as CSV."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields

from msaf_bench.report.cells import csv_document, made_how, markdown_text, pipes
from msaf_bench.report.claims import WORDS, ClaimVerdict, Scope, counted
from msaf_bench.report.findings import Summary

TITLES: dict[Scope, str] = {"run": "What this run says of the paper", "paper": "The paper against itself"}
HEADS: dict[Scope, tuple[str, ...]] = {
    "run": ("claim", "where", "verdict", "printed", "measured", "reason"),
    "paper": ("claim", "where", "verdict", "says", "its numbers", "note", "cells with a dagger"),
}


def claims_to_csv(claims: Sequence[ClaimVerdict], watermark: str = "") -> str:
    """One line a claim, its fields as columns; the watermark repeats on every line."""
    heads = [*(field.name for field in fields(ClaimVerdict)), "watermark"]
    return csv_document([heads, *([*map(str, asdict(claim).values()), watermark] for claim in claims)])


def claims_to_markdown(summary: Summary, claims: Sequence[ClaimVerdict]) -> str:
    """A line of conditions, then for each scope its counts and a table, sorted by verdict."""
    lines = [f"**Claims: {markdown_text(summary.table.source)}** · {markdown_text(made_how(summary))}", ""]
    if summary.table.provenance:
        lines += [f"Printed under: {markdown_text(summary.table.provenance)}. † a number that was made otherwise.", ""]
    for scope in WORDS:
        lines += _block(scope, claims)
    return "\n".join(lines)


def by_verdict(claims: Sequence[ClaimVerdict], scope: Scope) -> list[ClaimVerdict]:
    """The claims of a scope, those with the first verdict of `WORDS` first, else in the order given."""
    return sorted((c for c in claims if c.scope == scope), key=lambda c: WORDS[scope].index(c.verdict))


def _block(scope: Scope, claims: Sequence[ClaimVerdict]) -> Iterator[str]:
    yield from (f"## {TITLES[scope]}", "", f"{counted(claims, scope)}.", "")
    yield from (pipes(HEADS[scope]), "|---" * len(HEADS[scope]) + "|")
    for c in by_verdict(claims, scope):
        cells = (c.text, c.place, c.verdict, c.printed, c.measured, c.reason, c.provenance)
        yield pipes(cells[: len(HEADS[scope])])
    yield ""
