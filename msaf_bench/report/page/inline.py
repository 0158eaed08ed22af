"""Figures inside a page: SVG whose neutral colours follow the page's theme."""

import re
from collections.abc import Sequence

from markupsafe import Markup

from msaf_bench.report.figures.canvas import GRID, INK, MUTED, PAPER, Chart, Drawn

_THEMED = {INK: "--ink", MUTED: "--muted", GRID: "--line", PAPER: "--paper"}


def inline_figures(figures: Sequence[Drawn]) -> list[tuple[Chart, Markup]]:
    """Return all charts with their SVG for a page."""
    return [(chart, inline_svg(formats["svg"], chart)) for chart, formats in figures]


def inline_svg(svg: bytes, chart: Chart) -> Markup:
    """Return an SVG file as part of a page, with unique ids and the page's font and theme.

    The theme replaces the neutral colours, and external names are removed. Row labels and hover
    texts are kept.
    """
    prefix = f"figure-{chart.name}"
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    head, body = text.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    used = {clip or name for clip, name in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', body)}
    used |= {"title", "desc"}
    body = re.sub(
        r' id="([^"]*)"',
        lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "",
        body,
    )
    body = re.sub(r'(?:xlink:)?href="#', f'href="#{prefix}-', body)
    body = body.replace("xlink:href=", "href=").replace("url(#", f"url(#{prefix}-")
    body = re.sub(r"; font-family: [^;\"]*", "", body)
    for colour, name in _THEMED.items():
        body = body.replace(colour, f"var({name})")
    opening = (
        f'<svg role="img" aria-labelledby="{prefix}-title {prefix}-desc"'
        f" {box.group() if box else ''}>"
    )
    return Markup(opening + body)
