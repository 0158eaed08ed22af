"""One HTML file that needs nothing else: no network, no script, no other file."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from msaf_bench.claims.judge import because
from msaf_bench.claims.verdicts import WORDS, ClaimVerdict, Scope, counted
from msaf_bench.findings.digits import NONE, millions, number, p_value, seed_list, span
from msaf_bench.findings.subjects import NOT_LIVE
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import blocks
from msaf_bench.findings.wording import RUN_WORDS, TONES, Tone
from msaf_bench.report.figures.canvas import Drawn
from msaf_bench.report.figures.past import NAME as PAST_FIGURE
from msaf_bench.report.page.inline import inline_figures
from msaf_bench.report.provenance import simultaneous
from msaf_bench.report.tables.claims import TITLES, by_verdict
from msaf_bench.report.tables.controls import control_heads, control_legend, control_texts
from msaf_bench.report.tables.pulse import TITLE as PULSE_TITLE
from msaf_bench.report.tables.rankings import RANKING, ranking_legend, ranking_texts
from msaf_bench.report.view import View
from msaf_bench.stats import Decision, Effect, judge

_SIGNS: dict[Tone, str] = {"for": "✓", "against": "✗", "equal": "≈", "open": "?", "none": NONE}
SIGNS = {word: _SIGNS[tone] for word, tone in TONES.items()}


def environment() -> Environment:
    """The templates with their filters."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "num": number,
        "span": span,
        "p": p_value,
        "millions": millions,
        "seeds": seed_list,
    }
    return made


def to_html(view: View, figures: Sequence[Drawn]) -> str:
    """Return the whole report as text."""
    template = environment().get_template(view.kind.template)
    return template.render(
        **_about(view), **_pictures(figures), **_claims(view), **view.kind.page(view)
    )


def _about(view: View) -> dict[str, object]:
    """What the pages of both kinds of table show of a run."""
    summary = view.summary
    means = [row.interval.mean for row in summary.rows if row.interval and not row.dead]
    published = [row.published for row in summary.rows if row.published is not None]
    return {
        "s": summary,
        "table": summary.table,
        "c": summary.conditions,
        "made_how": view.made_how,
        "signs": SIGNS,
        "tones": TONES,
        "seen": partial(seen, summary=summary),
        "motion": view.motion,
        "counts": _counts(summary),
        "simultaneous": simultaneous(summary),
        "because": because,
        "shown": {subject.label: subject.shown for subject in summary.subjects},
        "best": max(means, default=None),
        "published": bool(published),
        "best_published": max(published, default=None),
        "power": view.power,
        "second": view.second,
        "legend": view.legend,
        "control_heads": control_heads(summary),
        "control_texts": partial(control_texts, summary),
        "control_legend": control_legend(summary),
        "pulse": view.pulse,
        "pulse_title": PULSE_TITLE,
        "not_live": NOT_LIVE,
        "settings": summary.conditions.model_dump(mode="json"),
    }


def _pictures(figures: Sequence[Drawn]) -> dict[str, object]:
    drawn = inline_figures(figures)
    return {
        "past_figures": [(chart, svg) for chart, svg in drawn if chart.name == PAST_FIGURE],
        "figures": [(chart, svg) for chart, svg in drawn if chart.name != PAST_FIGURE],
    }


def _claims(view: View) -> dict[str, object]:
    """The claims by scope; the page has a table of its own for what a run says of orderings."""
    found: dict[Scope, list[ClaimVerdict]] = {}
    if view.claims:
        found["run"] = [c for c in by_verdict(view.claims, "run") if c.kind != "ordering"]
        found["paper"] = by_verdict(view.claims, "paper")
    return {
        "claims": found,
        "claim_counts": {scope: counted(view.claims, scope) for scope in WORDS},
        "titles": TITLES,
    }


def systems_page(view: View) -> dict[str, object]:
    """Return what only the page of whole systems shows."""
    intervals = [v.difference.interval for v in view.summary.verdicts if v.difference]
    return {
        "groups": view.groups,
        "width": 2 + sum(len(group.columns) for group in view.groups),
        "blocks": list(blocks(view.entries)),
        "rankings": view.rankings,
        "ranking_heads": RANKING,
        "ranking_texts": ranking_texts,
        "ranking_legend": ranking_legend(view.rankings),
        "tradeoffs": view.tradeoffs,
        "decided": any(interval.low is not None for interval in intervals),
    }


def _counts(summary: Summary) -> list[tuple[int, str]]:
    """How many orderings got each word that occurs."""
    words = [verdict.word for verdict in summary.verdicts]
    return [(words.count(word), word) for word in RUN_WORDS if word in words]


def seen(effect: Effect, summary: Summary) -> str:
    """Which way an effect goes, if it can be told from zero; nothing where a row is not live, as
    every effect rests on all rows.
    """
    if any(row.dead for row in summary.rows):
        return f"{NONE} not comparable"
    more, less = (
        ("raises mIoU", "lowers mIoU")
        if len(effect.factors) == 1
        else ("more than their sum", "less than their sum")
    )
    texts: dict[Decision, str] = {
        "above": f"▲ {more}",
        "below": f"▼ {less}",
        "same": "≈ nothing",
        "undecided": "? undecided",
    }
    return texts[judge(effect.interval, summary.table.margin)]
