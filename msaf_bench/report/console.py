"""Summary for the terminal; every line fits its width, at least 80 columns."""

import re
import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from msaf_bench.claims.verdicts import WORDS, counted
from msaf_bench.findings.digits import mean, number, span
from msaf_bench.findings.subjects import NOT_LIVE, RowSummary, Subject
from msaf_bench.findings.summary import Summary, Verdict
from msaf_bench.findings.wording import SIGNS
from msaf_bench.report.tables.claims import TITLES
from msaf_bench.report.tables.columns import Column
from msaf_bench.report.tables.variants import gap_text
from msaf_bench.report.view import View

_BOUNDS = re.compile(r" \([^()]* to [^()]*\)")  # interval that follows its mean
WORD = 21  #: width of a verdict


def print_summary(view: View) -> None:
    """Print conditions, notes, tables and answers on stdout."""
    console, summary = Console(highlight=False), view.summary
    _say(console, view.made_how)
    for note in summary.notes:
        _say(console, f"note: {note}", 2)
    console.print()
    view.kind.console(view, console)
    if view.claims:
        for scope in WORDS:
            _say(console, f"{TITLES[scope].lower()}: {counted(view.claims, scope)}")
    console.print()
    _print_answers(console, view)


def _print_answers(console: Console, view: View) -> None:
    """Print a sentence with a verdict for each part, then those on motion and reliability."""
    answers = view.answers
    _say(console, answers.title)
    for line in answers.lines:
        _say(console, f"  {SIGNS[line.word]} {line.sentence}", 4)
    for sentence in (*answers.standing, answers.motion.sentence, *answers.trust):
        _say(console, f"  {sentence}", 4)


def _say(console: Console, text: str, indent: int = 0) -> None:
    """Print text in lines of the console's width; all except the first are indented."""
    console.print(
        textwrap.fill(text, console.width, subsequent_indent=" " * indent),
        markup=False,
        soft_wrap=True,
    )


def _show(console: Console, heads: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a table whose first column is left-aligned."""
    table = Table(box=None, pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left", no_wrap=not i, overflow="fold")
    for line in lines:
        table.add_row(*line)
    console.print(table, markup=False)


def print_systems(view: View, console: Console) -> None:
    """Print the measurements of whole systems; the files have all columns."""
    summary = view.summary
    group = next((group for group in view.groups if group.kind == "measured"), None)
    shown = (
        [column for column in group.columns if not column.head.startswith("ms ")] if group else []
    )
    lines = [
        (
            entry.found.shown,
            *(_BOUNDS.sub("", column.text(entry)) for column in shown),
            *(number(entry.printed.get(metric), 1) for metric in ("miou", "miou_test")),
        )
        for entry in view.entries
        if entry.found.system
    ]
    _show(console, ("System", *(column.head for column in shown), "printed val", "test"), lines)
    _print_controls(console, summary)
    _print_not_live(console, summary)


def print_variants(view: View, console: Console) -> None:
    """Print the rows with their differences, then further measurements and the verdicts."""
    summary = view.summary
    # a narrow terminal shows intervals instead
    ticks = [column for column, _ in summary.table.ticks] if console.width >= 100 else []
    _show(
        console,
        ("Row", *ticks, "printed", "mIoU", "95 % interval", "diff.", "95 % interval"),
        [_variant(row, len(ticks)) for row in summary.rows],
    )
    source, reference = summary.table.source, summary.table.reference
    _say(
        console,
        f"printed: in {source}; mIoU: measured, mean over seeds; diff.: measured, to {reference}",
        2,
    )
    _print_controls(console, summary)
    _print_second(console, view)
    _print_not_live(console, summary)
    # verdicts on a part are among the answers
    for verdict in summary.verdicts:
        if not verdict.part:
            _say(console, _verdict(verdict), WORD)


def _variant(row: RowSummary, ticks: int) -> list[str]:
    gap, own = row.difference.interval if row.difference else None, row.interval
    measured = (mean(own), span(own)) if own else (row.state, "")
    marks = ["x" if tick else "" for tick in row.ticks[:ticks]]
    return [
        row.shown,
        *marks,
        number(row.published, 1),
        *measured,
        gap_text(row),
        span(gap, signed=True),
    ]


def _verdict(verdict: Verdict) -> str:
    gap = verdict.difference.interval if verdict.difference else None
    said = f" by {verdict.points:g}" if verdict.points is not None else ""
    ours = f": measured {mean(gap, signed=True)} ({span(gap, signed=True)})" if gap else ""
    return f"{verdict.word:<{WORD}}{verdict.better} beats {verdict.worse}{said}{ours}"


def _print_controls(console: Console, summary: Summary) -> None:
    """Print the controls: means and differences to the compared rows, with intervals."""
    if not summary.controls:
        return
    lines: list[Sequence[str]] = []
    for control in summary.controls:
        own, gain = control.interval, control.gain.interval if control.gain else None
        measured = (mean(own), span(own)) if own else (control.state, "")
        lines.append(
            (
                f"{control.shown} ({control.role})",
                *measured,
                mean(gain, signed=True),
                span(gain, signed=True),
            )
        )
    console.print()
    _show(console, ("Control", "mIoU", "95 % interval", "diff.", "95 % interval"), lines)
    of_readings = (
        f"; for a reading, minus {summary.table.reference}"
        if any(c.role == "reading" for c in summary.controls)
        else ""
    )
    if summary.single:
        _say(
            console, f"diff.: control minus {summary.single}, the single-frame row{of_readings}", 2
        )


def _print_second(console: Console, view: View) -> None:
    """Print further measurements as means; the files have all columns."""
    second = [
        column for column in view.columns if not column.head.startswith(("mIoU", "FPS", "no warp"))
    ]
    if console.width < 100:  # narrow: cameras need stream mode
        second = [c for c in second if not c.head.startswith("ahead") and " clip" not in c.head]
    if not second:
        return
    console.print()
    _show(
        console,
        ("Row", *(column.head for column in second)),
        [_means(subject, second) for subject in view.summary.subjects],
    )
    _say(console, "see the Markdown or the page for all columns and their legend", 2)


def _means(subject: Subject, shown: Sequence[Column[Subject]]) -> list[str]:
    return [subject.shown, *(_BOUNDS.sub("", column.text(subject)) for column in shown)]


def _print_not_live(console: Console, summary: Summary) -> None:
    """Print every part that is not live."""
    for subject in summary.not_live:
        _say(console, f"{NOT_LIVE} {subject.ill}", 2)
