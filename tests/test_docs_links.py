"""Links in the documents: every relative target exists, and so does every anchor."""

import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in (
        "README.md",
        "CONTRIBUTING.md",
        "docs/**/*.md",
        "reports/README.md",
        "benchmarks/README.md",
    )
    for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`+[^`]*`+")
LINK = re.compile(r"\]\(<?([^)<>\s]+)>?(?:\s+\"[^\"]*\")?\)|(?:href|src)=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
EXPLICIT = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")


def links(text):
    """The targets of links and images, outside code."""
    prose = CODE.sub("", FENCE.sub("", text))
    return [first or second for first, second in LINK.findall(prose)]


def github_slug(heading):
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def site_slug(heading):
    """The slug of Python-Markdown, which the site uses."""
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def anchors(text, slug, separator):
    """The anchors of a page: explicit ones, and headings with repeated ones numbered."""
    prose = FENCE.sub("", text)
    found = set(EXPLICIT.findall(prose))
    times = {}
    for heading in HEADING.findall(prose):
        name = slug(re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading))
        times[name] = times.get(name, 0) + 1
        found.add(name if times[name] == 1 else f"{name}{separator}{times[name] - 1}")
    return found


def fault(page, target):
    """Why a link of a page does not resolve, or nothing."""
    if re.match(r"[a-z][a-z+.-]*:", target):
        return ""
    name, _, anchor = unquote(target).partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists():
        return f"{target}: no such file"
    if not anchor:
        return ""
    text = path.read_text(encoding="utf-8")
    if anchor not in anchors(text, github_slug, "-"):
        return f"{target}: no such anchor on GitHub"
    if ROOT / "docs" in path.parents and anchor not in anchors(text, site_slug, "_"):
        return f"{target}: no such anchor on the site"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_resolves(page):
    found = (fault(page, target) for target in links(page.read_text(encoding="utf-8")))
    assert [each for each in found if each] == []


def test_a_page_without_a_link_from_the_index_of_its_folder_would_be_missed():
    for index in ROOT.glob("docs/*/index.md"):
        linked = {target.partition("#")[0] for target in links(index.read_text(encoding="utf-8"))}
        pages = {path.name for path in index.parent.glob("*.md")} - {index.name}
        assert pages <= linked, index


def test_broken_links_are_found(tmp_path):
    (tmp_path / "other.md").write_text("# One\n\n## Two: a\n\n## Two: a\n\n```\n# Code\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        '[a](other.md#two-a-1) [b\nc](other.md) `[x](y)` <img src="gone.svg">\n'
        "[d](other.md#code) [e](https://example.org) [f](#here)\n\n# Here\n"
    )
    targets = links(page.read_text())
    assert targets == [
        "other.md#two-a-1",
        "other.md",
        "gone.svg",
        "other.md#code",
        "https://example.org",
        "#here",
    ]
    assert [each for each in (fault(page, target) for target in targets) if each] == [
        "gone.svg: no such file",
        "other.md#code: no such anchor on GitHub",
    ]
