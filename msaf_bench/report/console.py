"""A summary for the terminal."""

import re

from rich.console import Console
from rich.table import Table

from msaf_bench.report.cells import made_how, number, span
from msaf_bench.report.claims import WORDS, claims_of, counted
from msaf_bench.report.claims_text import TITLES
from msaf_bench.report.findings import Summary
from msaf_bench.report.rankings import rankings
from msaf_bench.report.second_table import columns, legend
from msaf_bench.report.systems import entries
from msaf_bench.report.systems_columns import groups
from msaf_bench.report.systems_legend import systems_legend
from msaf_bench.report.systems_table import ranking_texts

_BOUNDS = re.compile(r" \([^()]* to [^()]*\)")  # of an interval, behind its mean


def print_summary(summary: Summary) -> None:
    """The table, then what follows from it, on stdout."""
    console = Console(highlight=False)
    if summary.table.base:
        _print_variants(console, summary)
    else:
        _print_systems(console, summary)
    claims = claims_of(summary)
    for scope in WORDS if claims else ():
        said = ", ".join(f"{count} {word}" for word, count in counted(claims, scope).items())
        console.print(f"{TITLES[scope].lower()}: {said}", markup=False, soft_wrap=True)


def _print_systems(console: Console, summary: Summary) -> None:
    """For 80 columns: the printed numbers and the rest are in the files."""
    group = next((group for group in groups(summary) if group.kind == "measured"), None)
    shown = [column for column in group.columns if not column.head.startswith("ms ")] if group else []
    table = Table(title=made_how(summary), title_justify="left", title_style="", box=None, pad_edge=False)
    for head in ("System", *(column.head for column in shown), "printed val", "test"):
        table.add_column(head, justify="left" if head == "System" else "right", no_wrap=head == "System")
    for entry in entries(summary):
        if entry.found.system:
            values = [_BOUNDS.sub("", column.text(entry)) for column in shown]
            table.add_row(entry.found.shown, *values, *(number(entry.printed.get(metric), 1) for metric in ("miou", "miou_test")))
    console.print(table, markup=False)
    for line in systems_legend(summary):
        console.print(line, markup=False)
    console.print()
    for ranking in rankings(summary):
        ours, paper, rows, count, tau, bounds, p, verdict = ranking_texts(ranking)
        console.print(
            f"{verdict:<15}{ours} and {paper}, {rows} rows ({count}): tau-b {tau} ({bounds}), p {p}", markup=False, soft_wrap=True
        )


def _print_variants(console: Console, summary: Summary) -> None:
    table = Table(title=made_how(summary), title_justify="left", title_style="", box=None, pad_edge=False)
    ticks = [column for column, _ in summary.table.ticks] if console.width >= 100 else []  # narrow: the intervals matter more
    for head in ("Row", *ticks, "printed", "mIoU", "95 % interval", "diff.", "95 % interval"):
        table.add_column(head, justify="left" if head == "Row" else "right", no_wrap=head == "Row")
    for row in summary.rows:
        gap = row.difference.interval if row.difference else None
        own = row.interval
        measured = (number(own and own.mean), span(own)) if own else (row.state, "")
        marks = ["x" if tick else "" for tick in row.ticks[: len(ticks)]]
        table.add_row(row.shown, *marks, number(row.published, 1), *measured, number(gap and gap.mean, signed=True), span(gap, signed=True))
    console.print(table, markup=False)
    console.print(
        f"printed: in {summary.table.source}; mIoU: measured, mean over seeds; diff.: measured, to {summary.table.reference}", markup=False
    )
    _print_second(console, summary)
    for verdict in summary.verdicts:
        gap = verdict.difference.interval if verdict.difference else None
        said = f" by {verdict.points:g}" if verdict.points is not None else ""
        ours = f": measured {number(gap and gap.mean, signed=True)} ({span(gap, signed=True)})" if gap else ""
        console.print(f"{verdict.decision:<13}{verdict.better} beats {verdict.worse}{said}{ours}", markup=False, soft_wrap=True)


def _print_second(console: Console, summary: Summary) -> None:
    """Means alone, for 80 columns: the rest is in the files."""
    second = [column for column in columns(summary) if not column.head.startswith(("mIoU", "FPS", "no warp"))]
    if not second:
        return
    table = Table(box=None, pad_edge=False)
    for head in ("Row", *(column.head for column in second)):
        table.add_column(head, justify="left" if head == "Row" else "right", no_wrap=head == "Row")
    for row in summary.rows:
        table.add_row(row.shown, *(_BOUNDS.sub("", column.text(row)) for column in second))
    console.print()
    console.print(table, markup=False)
    for line in legend(summary, second):
        console.print(line, markup=False)
    console.print()
