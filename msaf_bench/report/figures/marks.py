"""Names in SVG: the row that a mark belongs to, what a mark says when pointed at, and what the
whole figure is.

matplotlib writes an artist's `gid` as the id of its group; here it carries row and title until the
SVG is written.
"""

import re
from html import escape
from urllib.parse import quote, unquote

from matplotlib.artist import Artist

_MARKED = re.compile(r'<g id="mark:([^"]*)">')
_OPENING = re.compile(r"<svg\b[^>]*>")


def mark(artist: Artist, row: str, title: str = "") -> None:
    """Give everything that the artist draws the row's label; `title` is shown when it is
    pointed at.
    """
    artist.set_gid(f"mark:{quote(row, safe='')}:{quote(title, safe='')}")


def named_svg(svg: str, title: str, description: str) -> str:
    """Return an SVG of matplotlib with its names written out: `data-row` and `<title>` of every
    mark, and the figure's own title and description. Without a title the figure has neither.
    """
    svg = _MARKED.sub(_group, svg)
    if not title:
        return svg
    naming = f'<title id="title">{escape(title)}</title>\n<desc id="desc">{escape(description)}'
    return _OPENING.sub(
        lambda found: f'{found[0][:-1]} role="img" aria-labelledby="title desc">\n {naming}</desc>',
        svg,
        count=1,
    )


def _group(found: re.Match[str]) -> str:
    row, title = map(unquote, found[1].split(":"))
    says = f"<title>{escape(title)}</title>" if title else ""
    return f'<g data-row="{escape(row)}">{says}'
