"""Page of an index: one card per run, and the history of tables."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from msaf_bench.findings.answers import title_of
from msaf_bench.findings.digits import counted, mean_span, seed_list
from msaf_bench.findings.recorded import with_names
from msaf_bench.report.index.documents import AnswerLine, Document, ListedRow
from msaf_bench.report.index.history import History, Step
from msaf_bench.report.index.runs import ListedRun, Source
from msaf_bench.report.page.marks import TrendPoint, reach_of, trend
from msaf_bench.report.page.templates import environment

LINES = 6  #: answers shown on a card; further ones are folded
NAMED = 3  #: most parts that a card names as not live
DATED_LONG: dict[Source, str] = {
    "run": "of the end of the newest trial",
    "code": "of the commit of its code, as its records have no times",
    "files": "of the file of its newest record, as neither its records nor its code have a time",
    "": "",
}


@dataclass(frozen=True)
class Card:
    """A run on the index page."""

    run: ListedRun
    id: str
    title: str
    page: str  #: address of its page; empty without one
    facts: tuple[str, ...]  #: rows, seeds, preset, host
    lines: tuple[AnswerLine, ...]
    more: tuple[AnswerLine, ...]  #: folded lines
    reach: float  #: value at the end of the bars
    health: str  #: sentence on live parts; empty if unknown
    well: bool  #: whether all parts are live
    unfinished: str  #: number of unfinished rows, as text; empty without any
    why: str  #: reason for missing answers; else empty
    command: str  #: command that renders a missing report; else empty
    keys: dict[str, str]  #: values for the filters of cards

    @property
    def dated(self) -> str:
        """Origin of the date, as text."""
        return DATED_LONG[self.run.timed]


def index_html(name: str, runs: Sequence[ListedRun], found: Sequence[History]) -> str:
    """Return the page of the runs below the folder `name`."""
    cards = [_card(run) for run in runs]
    trends: dict[tuple[str, str], Markup] = {}
    for each in found:
        for row in each.rows:
            points = [_point(step) for step in row.steps]
            trends[each.runs[-1].folder, row.label] = trend(points)
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            name=name,
            cards=cards,
            about=_about(runs),
            faults=[fault for run in runs for fault in run.faults],
            histories=found,
            titles={each.runs[-1].folder: _title(each.runs[-1]) for each in found},
            ids={card.run.folder: card.id for card in cards},
            trends=trends,
        )
    )


def _about(runs: Sequence[ListedRun]) -> str:
    """Return the number of runs and tables, data sets and dates in one line."""
    plans = [run.plan for run in runs if run.plan]
    tables = len({plan.table.name for plan in plans})
    data = sorted({plan.conditions.data for plan in plans})
    days = sorted(run.time[:10] for run in runs if run.time)
    parts = [counted(len(runs), "run"), counted(tables, "table")]
    if data:
        parts.append(f"data {', '.join(data)}")
    if days:
        parts.append(days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}")
    return " · ".join(parts)


def _card(run: ListedRun) -> Card:
    document = run.document if run.answered else None
    lines = document.answers if document else ()
    intervals = (line.interval for line in lines if line.word != "not comparable")
    tau = any(line.unit == "τ" for line in lines)
    subjects = (*document.rows, *document.controls) if document else ()
    health, well = _health(subjects) if subjects else _study_health(document)
    place = "" if run.folder == "." else f"{quote(run.folder)}/"
    command = f"msaf-bench report {shlex.quote(run.folder)}" if run.plan else ""
    return Card(
        run=run,
        id="run-" + re.sub(r"\s", "_", run.folder),
        title=_title(run),
        page=f"{place}{quote(run.name)}.html" if run.page else "",
        facts=tuple(_facts(run)),
        lines=lines[:LINES],
        more=lines[LINES:],
        reach=1.0 if tau else reach_of(intervals),
        health=health,
        well=well,
        unfinished=_unfinished(subjects),
        why="" if document else _why(run),
        command="" if document else command,
        keys=_keys(run),
    )


def _title(run: ListedRun) -> str:
    if run.answered and run.document:
        return run.document.title
    if run.plan:
        return title_of(with_names(run.plan.table), run.plan.conditions)
    return run.folder


def _facts(run: ListedRun) -> list[str]:
    if not run.plan:
        return []
    plan, document = run.plan, run.document
    facts = [f"preset {plan.conditions.preset}"]
    if plan.tuned:
        facts.append("tuned")
    rows = counted(len(plan.rows), "row")
    if plan.controls:
        rows += f", {counted(len(plan.controls), 'control')}"
    facts.append(rows)
    if plan.table.axis:
        facts.append(f"over {', '.join(axis.shown for axis in plan.table.axis)}")
    seeds = document.seeds if document else ()
    measured = seeds if isinstance(seeds, tuple) else ()
    facts.append(seed_list(measured or range(plan.seeds)))
    machines = dict.fromkeys(
        f"{host.name}, {counted(host.threads, 'thread')}" for host in run.hosts
    )
    return [*facts, *machines]


def _keys(run: ListedRun) -> dict[str, str]:
    if not run.plan:
        return {}
    return {
        "table": run.plan.table.name,
        "data": run.plan.conditions.data,
        "preset": run.plan.conditions.preset,
        "host": ", ".join(dict.fromkeys(host.name for host in run.hosts)),
    }


def _why(run: ListedRun) -> str:
    """Return why a card has no answers."""
    if not run.plan:
        return "Its plan cannot be read, so nothing is known about the run."
    if run.faults:
        return "Its report cannot be read."
    if run.document:
        return "Its report comes from an earlier version without answers."
    return "It has no report yet."


def _health(subjects: Sequence[ListedRow]) -> tuple[str, bool]:
    """Return a sentence on live parts, and whether all are live.

    The past frames of a negative control do not count.
    """
    live, dead = 0, list[str]()
    for subject in subjects:
        for part in subject.parts:
            if part.live:
                live += 1
            elif subject.live is False:
                dead.append(f"{part.part} of {subject.label}")
    if dead:
        named = ", ".join(dead[:NAMED])
        more = f" and {len(dead) - NAMED} more" if len(dead) > NAMED else ""
        return f"{len(dead)} of {len(dead) + live} parts not live: {named}{more}", False
    return (f"All {live} parts live" if live else "No pulse was taken of its parts"), bool(live)


def _study_health(document: Document | None) -> tuple[str, bool]:
    """Return the sentence on live parts of a study, and whether all are live."""
    if document is None or not document.trust:
        return "", True
    return document.trust[0], all(reading.live is not False for reading in document.lines)


def _unfinished(subjects: Sequence[ListedRow]) -> str:
    states = [s for s in subjects if s.state not in ("done", "only printed", "")]
    return f"{counted(len(states), 'row')} not finished" if states else ""


def _point(step: Step) -> TrendPoint:
    """Return a row in one run as a point of its line."""
    state = step.change.state if step.change else ""
    word = f", {state}" if state else ""
    when = f"{step.run.day} {step.run.short_commits}".strip()
    title = f"{when}: {mean_span(step.interval)}{word}"
    return TrendPoint(step.interval, state if step.marked else "", title)
