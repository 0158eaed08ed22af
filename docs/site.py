"""Hooks of mkdocs: one source for the repository and the site.

The documentation links to files as they lie in the repository, so that it can be read there too.
On the site the README is the home page, and the reference runs stand under `runs/`, rendered by
`make site`. Without their pages, a short page says how to make them.
"""

import re
import shutil
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "reports" / "reference"
RENDERED = ROOT / "build" / "runs"  #: filled by `make site`
#: files of the repository that are pages of the site
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)\s#]+)")
MISSING = "<!doctype html><title>Not rendered</title><p>Render it by <code>make site</code>.\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository's top and the files of the reference runs."""
    for source, place in PAGES.items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text()))
    for place, content in _runs().items():
        files.append(File.generated(config, f"runs/{place}", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the repository into links to pages of the site."""
    place = page.file.src_uri
    source = next((name for name, own in PAGES.items() if own == place), f"docs/{place}")
    depth = place.count("/")

    def turned(found: re.Match[str]) -> str:
        target = (ROOT / source).parent.joinpath(found[1]).resolve()
        return "../" * depth + _place(target.relative_to(ROOT).as_posix())

    return LINK.sub(turned, markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Copy the rendered runs as they are: their Markdown is no page of the documentation."""
    if RENDERED.is_dir():
        ignored = shutil.ignore_patterns("*.xz", ".*")
        place = Path(config["site_dir"]) / "runs"
        shutil.copytree(RENDERED, place, ignore=ignored, dirs_exist_ok=True)


def _place(target: str) -> str:
    """Return the place on the site of a file of the repository."""
    if target.startswith("reports/reference/"):
        return re.sub(r"\.md$", ".html", f"runs/{target.removeprefix('reports/reference/')}")
    return PAGES.get(target, target.removeprefix("docs/"))


def _runs() -> dict[str, bytes]:
    """Return the files of the reference runs that a page may link to, by place."""
    shown = {
        path.relative_to(REFERENCE).as_posix(): path.read_bytes()
        for path in REFERENCE.rglob("*")
        if path.suffix in (".csv", ".svg")
    }
    pages = {
        path.relative_to(REFERENCE).with_suffix(".html").as_posix(): MISSING.encode()
        for path in REFERENCE.glob("*/*.md")
    }
    return {**pages, "index.html": MISSING.encode(), **shown}
