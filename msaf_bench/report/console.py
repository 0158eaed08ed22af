"""A summary for the terminal and for scripts."""

import re
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from msaf_bench.report.cells import made_how, number, span
from msaf_bench.report.claims import WORDS, claims_of, counted
from msaf_bench.report.claims_text import TITLES
from msaf_bench.report.findings import Summary
from msaf_bench.report.second_table import columns, legend
from msaf_bench.report.tables import row_values


def to_json(summary: Summary) -> dict[str, Any]:
    """Conditions, rows and verdicts as one document."""
    return {
        "table": summary.table.name,
        "conditions": summary.conditions.model_dump(mode="json"),
        "hosts": [host.model_dump(mode="json") for host in summary.hosts],
        "seeds": list(summary.seeds),
        "rows": [row_values(summary, row) for row in summary.rows],
        "verdicts": [
            {
                "better": v.better,
                "worse": v.worse,
                "source": v.source,
                "published_points": v.points,
                "measured_points": v.difference.interval.mean if v.difference else None,
                "interval": [v.difference.interval.low, v.difference.interval.high] if v.difference else None,
                "verdict": v.decision,
            }
            for v in summary.verdicts
        ],
        "claims": [asdict(claim) for claim in claims_of(summary)],
        "kendall_tau_b": summary.agreement.tau,
        "friedman_p": summary.omnibus.p,
        "best_constant": summary.control.miou if summary.control else None,
    }


def print_summary(summary: Summary) -> None:
    """The table, then the verdicts, on stdout."""
    console = Console(highlight=False)
    table = Table(title=made_how(summary), title_justify="left", title_style="", box=None, pad_edge=False)
    ticks = [column for column, _ in summary.table.ticks] if console.width >= 100 else []  # narrow: the intervals matter more
    for head in ("Row", *ticks, "printed", "mIoU", "95 % interval", "diff.", "95 % interval"):
        table.add_column(head, justify="left" if head == "Row" else "right", no_wrap=head == "Row")
    for row in summary.rows:
        gap = row.difference.interval if row.difference else None
        own = row.interval
        measured = (number(own and own.mean), span(own)) if own else (row.state, "")
        marks = ["x" if tick else "" for tick in row.ticks[: len(ticks)]]
        table.add_row(row.label, *marks, number(row.published, 1), *measured, number(gap and gap.mean, signed=True), span(gap, signed=True))
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
    claims = claims_of(summary)
    for scope in WORDS if claims else ():
        said = ", ".join(f"{count} {word}" for word, count in counted(claims, scope).items())
        console.print(f"{TITLES[scope].lower()}: {said}", markup=False, soft_wrap=True)


def _print_second(console: Console, summary: Summary) -> None:
    """Means alone, for 80 columns: the rest is in the files."""
    second = [column for column in columns(summary) if not column.head.startswith(("mIoU", "FPS", "no warp"))]
    if not second:
        return
    table = Table(box=None, pad_edge=False)
    for head in ("Row", *(column.head for column in second)):
        table.add_column(head, justify="left" if head == "Row" else "right", no_wrap=head == "Row")
    for row in summary.rows:
        table.add_row(row.label, *(re.sub(r" \([^()]* to [^()]*\)", "", column.text(row)) for column in second))
    console.print()
    console.print(table, markup=False)
    for line in legend(summary, second):
        console.print(line, markup=False)
    console.print()
