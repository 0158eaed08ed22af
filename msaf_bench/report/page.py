"""One HTML file that needs nothing else: no network, no script, no other file."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from msaf_bench.findings.subjects import NOT_LIVE
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import blocks, entries
from msaf_bench.findings.tradeoffs import tradeoffs
from msaf_bench.findings.wording import RUN_WORDS, TONES, Tone
from msaf_bench.report.canvas import GRID, INK, MUTED, PAPER, Chart
from msaf_bench.report.cells import (
    NONE,
    made_how,
    millions,
    number,
    p_value,
    seed_list,
    simultaneous,
    span,
)
from msaf_bench.report.claims import WORDS, ClaimVerdict, counted
from msaf_bench.report.claims_run import because
from msaf_bench.report.claims_text import TITLES, by_verdict
from msaf_bench.report.control_table import control_heads, control_legend, control_texts
from msaf_bench.report.motion import motion_of
from msaf_bench.report.past_figure import NAME as PAST_FIGURE
from msaf_bench.report.power import power_of
from msaf_bench.report.pulse_table import TITLE as PULSE_TITLE
from msaf_bench.report.pulse_table import pulse_table
from msaf_bench.report.rankings import legend as ranking_legend
from msaf_bench.report.rankings import rankings
from msaf_bench.report.second_table import columns, legend
from msaf_bench.report.systems_columns import beside, groups
from msaf_bench.report.systems_legend import systems_legend
from msaf_bench.report.systems_table import RANKING, ranking_texts
from msaf_bench.stats import Decision, Effect, judge

_SIGNS: dict[Tone, str] = {"for": "✓", "against": "✗", "equal": "≈", "open": "?", "none": NONE}
SIGNS = {word: _SIGNS[tone] for word, tone in TONES.items()}
_THEMED = {INK: "--ink", MUTED: "--muted", GRID: "--line", PAPER: "--paper"}


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


def to_html(
    summary: Summary,
    charts: Sequence[Chart],
    figures: Mapping[str, bytes],
    claims: Sequence[ClaimVerdict],
) -> str:
    """The whole report as text; `figures` are the charts' SVG by name."""
    means = [row.interval.mean for row in summary.rows if row.interval and not row.dead]
    drawn = [(chart, inline_svg(figures[chart.name], chart)) for chart in charts]
    template, own = (
        ("page.html.j2", _variants(summary))
        if summary.table.base
        else ("systems.html.j2", _systems(summary))
    )
    return (
        environment()
        .get_template(template)
        .render(
            s=summary,
            table=summary.table,
            c=summary.conditions,
            made_how=made_how(summary),
            signs=SIGNS,
            seen=partial(seen, summary=summary),
            motion=motion_of(summary),
            tones=TONES,
            counts=_counts(summary),
            simultaneous=simultaneous(summary),
            because=because,
            shown={subject.label: subject.shown for subject in summary.subjects},
            best=max(means, default=None),
            published=any(row.published is not None for row in summary.rows),
            best_published=max(
                (row.published for row in summary.rows if row.published is not None), default=None
            ),
            power=power_of(summary),
            claims=(
                {scope: _without_orderings(by_verdict(claims, scope)) for scope in WORDS}
                if claims
                else {}
            ),
            claim_counts={scope: counted(claims, scope) for scope in WORDS},
            titles=TITLES,
            past_figures=[(chart, svg) for chart, svg in drawn if chart.name == PAST_FIGURE],
            figures=[(chart, svg) for chart, svg in drawn if chart.name != PAST_FIGURE],
            control_heads=control_heads(summary),
            control_texts=partial(control_texts, summary),
            control_legend=control_legend(summary),
            pulse=pulse_table(summary),
            pulse_title=PULSE_TITLE,
            not_live=NOT_LIVE,
            settings=summary.conditions.model_dump(mode="json"),
            **own,
        )
    )


def _variants(summary: Summary) -> dict[str, object]:
    """What only a table of variants of one system shows."""
    second = columns(summary)
    return {"second": second, "legend": legend(summary, second)}


def _systems(summary: Summary) -> dict[str, object]:
    """What only a table of whole systems shows."""
    found, ranked = groups(summary), rankings(summary)
    return {
        "groups": found,
        "width": 2 + sum(len(group.columns) for group in found),
        "blocks": list(blocks(entries(summary))),
        "second": beside(summary),
        "legend": systems_legend(summary),
        "rankings": ranked,
        "ranking_heads": RANKING,
        "ranking_texts": ranking_texts,
        "ranking_legend": ranking_legend(ranked),
        "tradeoffs": tradeoffs(summary),
        "decided": any(
            verdict.difference and verdict.difference.interval.low is not None
            for verdict in summary.verdicts
        ),
    }


def _counts(summary: Summary) -> list[tuple[int, str]]:
    """How many orderings got each word that occurs."""
    found = [
        (sum(verdict.word == word for verdict in summary.verdicts), word) for word in RUN_WORDS
    ]
    return [(count, word) for count, word in found if count]


def _without_orderings(claims: Sequence[ClaimVerdict]) -> list[ClaimVerdict]:
    """The page has a table of its own for what a run says of orderings."""
    return [claim for claim in claims if (claim.scope, claim.kind) != ("run", "ordering")]


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


def inline_svg(svg: bytes, chart: Chart) -> Markup:
    """An SVG of matplotlib as a named picture inside a page: ids of its own, neutral colours from
    the page's theme, no outside name.
    """
    prefix = f"figure-{chart.name}"
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, body = text.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    used = {clip or name for clip, name in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', body)}
    body = re.sub(
        r' id="([^"]*)"',
        lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "",
        body,
    )
    body = re.sub(r'(?:xlink:)?href="#', f'href="#{prefix}-', body)
    body = body.replace("xlink:href=", "href=").replace("url(#", f"url(#{prefix}-")
    for colour, name in _THEMED.items():
        body = body.replace(colour, f"var({name})")
    opening = (
        f'<svg role="img" aria-labelledby="{prefix}-title {prefix}-desc"'
        f" {box.group() if box else ''}>"
    )
    naming = (
        f'<title id="{prefix}-title">{escape(chart.title)}</title><desc'
        f' id="{prefix}-desc">{escape(chart.description)}</desc>'
    )
    return Markup(opening + naming + body)
