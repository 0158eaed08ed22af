"""Names in SVG: row and hover text of each mark, title and description of the figure.

matplotlib writes an artist's `gid` as the id of its group. Here it carries row and title until the
SVG is written.
"""

import re
from html import escape
from urllib.parse import quote, unquote

from matplotlib.artist import Artist

_MARKED = re.compile(r'<g id="mark:([^"]*)">')
_OPENING = re.compile(r"<svg\b[^>]*>")


def mark(artist: Artist, row: str, title: str = "") -> None:
    """Attach the row's label to all marks of an artist, and `title` as hover text.

    An empty label stands for a mark that belongs to no single row.
    """
    artist.set_gid(f"mark:{quote(row, safe='')}:{quote(title, safe='')}")


def named_svg(svg: str, title: str, description: str) -> str:
    """Return an SVG of matplotlib with `data-row` and `<title>` for every mark.

    With a title, the figure itself also gets title and description.
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
    return f'<g data-row="{escape(row)}">{says}' if row else f"<g>{says}"
