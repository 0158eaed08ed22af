"""The site builds without a warning, and its pages ask nobody else for anything."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("material", reason="the extra `docs` is not installed")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
#: proxies that lead nowhere: a build that fetches something fails
NOWHERE = dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://[::1]:9"
)

LOADS = r"<(?:script|img|link|iframe)[^>]+(?:src|href)=\"?(https?:[^\" >]+)"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, **NOWHERE, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_rendered_runs_are_copied_as_they_are(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    run = tmp_path / "build" / "table3"
    run.mkdir(parents=True)
    for name in ("table3.html", "table3.md", "packed.tar.xz", ".lock"):
        (run / name).write_text("new")
    (tmp_path / "site" / "runs" / "table3").mkdir(parents=True)
    (tmp_path / "site" / "runs" / "table3" / "table3.html").write_text("missing")
    monkeypatch.setattr(hooks, "RENDERED", tmp_path / "build")
    hooks.on_post_build({"site_dir": str(tmp_path / "site")})
    copied = {path.name: path.read_text() for path in (tmp_path / "site").rglob("*.*")}
    assert copied == {"table3.html": "new", "table3.md": "new"}


def test_every_page_and_every_reference_run_is_there(site):
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert all((site / page.with_suffix(".html")).is_file() for page in pages)
    assert (site / "index.html").is_file()
    assert (site / "runs" / "index.html").is_file()
    runs = [path.parent.name for path in (ROOT / "reports" / "reference").glob("*/*_claims.csv")]
    assert runs
    assert all(list((site / "runs" / run).glob("*.html")) for run in runs)


def test_a_page_loads_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(LOADS, page.read_text())
        assert loaded == [], page


def test_the_python_reference_has_every_public_name(site):
    import msaf_bench as mb

    page = (site / "api.html").read_text()
    for name in set(mb.__all__) - {"__version__"}:
        assert f'id="msaf_bench.{name}"' in page, name


def test_the_figures_of_the_readme_are_on_the_home_page(site):
    pictures = re.findall(r'<img[^>]+src="([^"]+)"', (site / "index.html").read_text())
    assert len(pictures) == 2
    assert all((site / picture).is_file() for picture in pictures)
