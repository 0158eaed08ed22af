"""Version, changelog and citation name the same release."""

import datetime
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEADS = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
RELEASE = re.compile(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d)")


@pytest.fixture
def releases():
    """Version and date of each release in the changelog, newest first."""
    found = [RELEASE.fullmatch(head) for head in HEADS[1:]]
    assert all(found), HEADS
    return [
        (tuple(map(int, each.groups()[:3])), datetime.date.fromisoformat(each[4])) for each in found
    ]


@pytest.fixture
def citation():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_changelog_begins_with_what_is_unreleased_and_goes_back_in_time(releases):
    assert HEADS[0] == "[Unreleased]"
    assert releases == sorted(set(releases), reverse=True)
    assert [date for _, date in releases] == sorted((date for _, date in releases), reverse=True)


def test_the_newest_release_is_the_project_s_version(releases):
    assert ".".join(map(str, releases[0][0])) == PROJECT["version"]


def test_the_citation_is_of_the_newest_release(citation, releases):
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == PROJECT["version"]
    assert citation["date-released"] == releases[0][1]


def test_the_citation_describes_the_project_and_names_the_paper(citation):
    assert {key: citation[key] for key in ("title", "license", "keywords")} == {
        "title": PROJECT["name"],
        "license": PROJECT["license"],
        "keywords": PROJECT["keywords"],
    }
    assert citation["abstract"].removesuffix(".") == PROJECT["description"]
    assert {"type", "message", "authors"} <= set(citation)
    (paper,) = citation["references"]
    assert paper["title"] == "Motion-state Alignment for Video Semantic Segmentation"
    assert [author["family-names"] for author in paper["authors"]] == ["Su", "Yin", "Zhang", "Luo"]


def test_the_documentation_names_the_release():
    """The action and the citation are copied from the pages."""
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    tags = set(re.findall(r"OWNER/msaf-bench@(\S+)", text))
    assert tags == {f"v{PROJECT['version']}"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"version = \{(.*?)\}", readme) == [PROJECT["version"]]
