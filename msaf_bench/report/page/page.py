"""Self-contained HTML page of a report, without network or other files.

It is complete without scripts; scripts add sorting, search, copying and other reference rows.
"""

from collections.abc import Iterable, Sequence
from typing import cast

from markupsafe import Markup
from scipy.special import stdtrit  # pyright: ignore[reportUnknownVariableType]

from msaf_bench.catalog import family_of
from msaf_bench.claims.judge import because
from msaf_bench.claims.verdicts import WORDS, ClaimVerdict, Scope, counted
from msaf_bench.documents import json_text
from msaf_bench.findings.answers import effect_answers, health
from msaf_bench.findings.digits import (
    NONE,
    number,
)
from msaf_bench.findings.subjects import NOT_LIVE, Subject
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import blocks
from msaf_bench.findings.wording import RUN_WORDS, SIGNS
from msaf_bench.inputs import file_name
from msaf_bench.report.figures.canvas import Drawn
from msaf_bench.report.figures.strip import Strip
from msaf_bench.report.page.frames import frames_of
from msaf_bench.report.page.inline import inline_figures
from msaf_bench.report.page.marks import SeedStrips, ValidationCurves, reach_of, side
from msaf_bench.report.page.templates import environment
from msaf_bench.report.provenance import command, simultaneous, together
from msaf_bench.report.tables.claims import TITLES, by_verdict
from msaf_bench.report.tables.columns import PAST_HEAD, PAST_LEGEND
from msaf_bench.report.tables.controls import ROLES, control_legend
from msaf_bench.report.tables.pulse import TITLE as PULSE_TITLE
from msaf_bench.report.tables.rankings import RANKING, ranking_legend, ranking_texts
from msaf_bench.report.tables.tuning import HEADS as TUNING_HEADS
from msaf_bench.report.tables.tuning import TITLE as TUNING_TITLE
from msaf_bench.report.tables.tuning import VERDICT_HEADS
from msaf_bench.report.tables.validation import HEADS, cells
from msaf_bench.report.tables.validation import TITLE as VALIDATION_TITLE
from msaf_bench.report.view import View
from msaf_bench.spec import Conditions
from msaf_bench.stats import level_of_each

#: prefix of the figures on the page; its tables contain the numbers of all others
SHOWN = "tradeoff"


def to_html(view: View, figures: Sequence[Drawn], strip: Strip | None = None) -> str:
    """Return the page; with a strip it shows predictions beside the ground truth."""
    template = environment().get_template(view.kind.template)
    return template.render(
        **_about(view),
        **_table(view.summary),
        **_claims(view),
        **_folds(view),
        **view.kind.page(view),
        figures=inline_figures([each for each in figures if each[0].name.startswith(SHOWN)]),
        files=[chart.name for chart, _ in figures],
        frames=frames_of(strip) if strip else (),
        swatches=list(zip(strip.colours, strip.class_names, strict=False)) if strip else [],
    )


def conditions_lines(conditions: Conditions) -> list[tuple[str, str]]:
    """Return the non-empty conditions as names and values."""
    settings = conditions.document()
    if conditions.described:
        settings["described"] = conditions.described.summary
    return [
        (name.replace("_", " "), _said(value))
        for name, value in settings.items()
        if value not in ("", None, [])
    ]


def _said(value: object) -> str:
    """Return a JSON value as text: pairs as "name = value", choices as "name (options)"."""
    if isinstance(value, dict):
        choice = cast("dict[str, object]", value)
        pairs = cast("list[tuple[str, object]]", choice.get("options", []))
        options = ", ".join(f"{name} = {_said(held)}" for name, held in pairs)
        return f"{choice.get('use')}{f' ({options})' if options else ''}"
    if isinstance(value, list):
        items = cast("list[object]", value)
        match items:
            case [str(name), held] if not isinstance(held, str):
                return f"{name} = {_said(held)}"
            case _:
                return ", ".join(map(_said, items))
    return str(value)


def _about(view: View) -> dict[str, object]:
    """Return the values of the page's head: run and answers."""
    summary, answers = view.summary, view.answers
    return {
        "s": summary,
        "table": summary.table,
        "c": summary.conditions,
        "name": file_name(summary.table.name),
        "made_how": view.made_how,
        "answers": answers,
        "answers_reach": reach_of(
            line.interval for line in answers.lines if line.word != "not comparable"
        ),
        "command": command(summary),
        "not_live": NOT_LIVE,
        "shown": {subject.label: subject.shown for subject in summary.subjects},
    }


def _table(summary: Summary) -> dict[str, object]:
    """Return the values of the main table: its scales, and the numbers for the script."""
    gaps = [row.difference.interval for row in summary.rows if row.difference and not row.against]
    gains = [control.gain.interval for control in summary.controls if control.gain]
    family = family_of(summary.table)
    seeds = range(2, len(summary.seeds) + 1)
    quantile = (1 + level_of_each(family)) / 2
    data = {
        "reference": summary.table.reference,
        #: quantiles of Student's t by number of shared seeds, for simultaneous intervals
        "quantiles": {n: float(stdtrit(n - 1, quantile)) for n in seeds},
        "rows": {
            row.label: {
                "seeds": {str(seed): round(miou, 6) for seed, miou in row.measured.items()},
                "dead": bool(row.dead),
            }
            for row in summary.rows
            if row.measured
        },
    }
    return {
        "data": Markup(json_text(data).replace("<", "\\u003c")),
        "strip": SeedStrips(summary.subjects),
        "side": side,
        "reach": reach_of([*gaps, *gains]),
        "past_reach": reach_of(subject.measures.past for subject in summary.subjects),
        "past": any(row.measures.past for row in summary.rows),
        "past_legend": PAST_LEGEND,
        "published": any(row.published is not None for row in summary.rows),
        "together": together(summary),
        "roles": ROLES,
        "control_legend": control_legend(summary) if summary.controls else [],
    }


def _claims(view: View) -> dict[str, object]:
    """Return the claims by scope and verdict; orderings are in a separate table."""
    found: dict[Scope, list[tuple[str, list[ClaimVerdict]]]] = {}
    for scope in WORDS if view.claims else ():
        claims = [
            claim
            for claim in by_verdict(view.claims, scope)
            if (claim.scope, claim.kind) != ("run", "ordering")
        ]
        words = dict.fromkeys(claim.verdict for claim in claims)
        found[scope] = [(word, [c for c in claims if c.verdict == word]) for word in words]
    verdicts = view.summary.verdicts
    decided = any(v.difference and v.difference.interval.low is not None for v in verdicts)
    return {
        # with one seed per system, every ordering is undecided
        "verdicts": verdicts if decided or not view.entries else (),
        "claims": found,
        "claim_counts": {scope: counted(view.claims, scope) for scope in WORDS},
        "titles": TITLES,
        "verdict_counts": ", ".join(_counts(view.summary)),
        "simultaneous": simultaneous(view.summary),
        "because": because,
    }


def _counts(summary: Summary) -> Iterable[str]:
    words = [verdict.word for verdict in summary.verdicts]
    return (f"{words.count(word)} {word}" for word in RUN_WORDS if word in words)


def _folds(view: View) -> dict[str, object]:
    """Return the values of the sections below the table."""
    summary = view.summary
    return {
        # the main table has the contribution of past frames
        "second": [column for column in view.second if column.head != PAST_HEAD],
        "legend": view.legend,
        "power": view.power,
        "tuning": view.tuning,
        "tuning_title": TUNING_TITLE,
        "tuning_heads": TUNING_HEADS,
        "tuned_verdict_heads": VERDICT_HEADS,
        "validation": view.validation,
        "validation_title": VALIDATION_TITLE,
        "validation_heads": HEADS,
        "validation_cells": cells,
        "curve": ValidationCurves(subject.measures.validation for subject in summary.subjects),
        "pulse": view.pulse,
        "pulse_title": PULSE_TITLE,
        "pulse_count": _health(summary),
        "share_lines": [
            (share.part, share.amount, f"{SIGNS[share.word]} {share.word}")
            for share in effect_answers(summary, summary.shares)
        ],
        "class_lines": [
            (row.shown, *(number(value, 1) for value in row.per_class)) for row in summary.measured
        ],
        "failed_lines": [
            (summary_label, str(run.seed), run.reason, run.trial)
            for summary_label, run in summary.failed
        ],
        "settings": [
            *conditions_lines(summary.conditions),
            ("data content", " ".join(summary.data) or NONE),
            ("backbones start from", "; ".join(summary.starts) or NONE),
        ],
        "system_lines": [_system(subject) for subject in summary.subjects],
    }


def _health(summary: Summary) -> str:
    dead, parts = health(summary.subjects)
    return f"{dead} of {parts} parts not live" if dead else f"all {parts} parts live"


def _system(subject: Subject) -> tuple[str, str, str, str]:
    """Return a line of the table of systems: name, key and architecture, choices, note."""
    system = subject.system
    if system is None:
        return subject.shown, "only printed", "", subject.note
    choices = ", ".join(f"{slot} = {choice}" for slot, choice in system.slots)
    options = "".join(f"; {name} = {value}" for name, value in system.options)
    return subject.shown, f"{system.key} {system.architecture}", choices + options, subject.note


def systems_page(view: View) -> dict[str, object]:
    """Return the values that only the page of whole systems needs."""
    return {
        "groups": view.groups,
        "blocks": list(blocks(view.entries)),
        "number_of": {row.label: i for i, row in enumerate(view.summary.rows, 1)},
        "rankings": view.rankings,
        "ranking_heads": RANKING,
        "ranking_lines": [ranking_texts(ranking) for ranking in view.rankings],
        "ranking_legend": ranking_legend(view.rankings),
    }
