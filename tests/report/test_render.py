"""The files of a report: complete, escaped, self-contained, the same bytes each time, and there in
every state of a run.
"""

import csv
import io
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from markup import Page

from msaf_bench.errors import HostError
from msaf_bench.findings.summary import Summary
from msaf_bench.records import Record
from msaf_bench.report.figures.strip import Strip
from msaf_bench.report.kinds import view_of
from msaf_bench.report.page.page import to_html
from msaf_bench.report.render import render
from msaf_bench.report.tables.values import to_csv, to_per_class_csv
from msaf_bench.report.tables.variants import to_latex, to_markdown
from msaf_bench.spec import Conditions, Table, Trial

pytestmark = pytest.mark.slow

Make = Callable[..., Summary]
HOSTILE = ("<script>alert(1)</script>", "=1+1", "a|b", r"50_%&#$\~^{}$", "[x](http://e.x)")


@pytest.fixture(scope="module")
def strip() -> Strip:
    truth = np.repeat(np.array([0, 1, 2, 255], np.uint8), 6)[:, None] * np.ones((1, 40), np.uint8)
    frame = np.full((24, 40, 3), 90, np.uint8)
    return Strip(
        [frame] * 2,
        [truth] * 2,
        {"Baseline": [truth] * 2, "MSAF": [truth] * 2},
        ((200, 0, 0), (0, 200, 0), (0, 0, 200)),
        ("a", "b", "c"),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, summary: Summary, strip: Strip) -> Path:
    folder = tmp_path_factory.mktemp("a report ü")
    render(view_of(summary), folder, strip=strip)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "table3.html").read_text())


@pytest.fixture(scope="session")
def hostile(make: Make, table: Table) -> Summary:
    """Labels, title, note, reason, class names and CPU all try to get out of their cells."""
    labels = [*HOSTILE, *(label for label, _ in table.rows[len(HOSTILE) :])]
    rows = tuple(
        (new, row.model_copy(update={"note": HOSTILE[0]}))
        for new, (_, row) in zip(labels, table.rows, strict=True)
    )
    bad = table.model_copy(
        update={
            "rows": rows,
            "title": " ".join(HOSTILE),
            "orderings": (),
            "ticks": ((HOSTILE[0], "motion"), ("=x|", "state")),
        }
    )

    def change(records: dict[str, Record], trials: list[Trial]) -> dict[str, Record]:
        hurt = {"class_names": (*HOSTILE, *"fghijk")}
        records = {
            key: record.model_copy(
                update=hurt | {"host": record.host.model_copy(update={"cpu": HOSTILE[0]})}
            )
            for key, record in records.items()
        }
        failed = {"state": "failed", "reason": " ".join(HOSTILE), "confusion": None}
        return records | {
            trial.id: records[trial.id].model_copy(update=failed) for trial in trials[:5]
        }

    return make(bad, change=change)


def test_files(folder: Path):
    figures = {
        f"figures/table3_{name}.{kind}"
        for name in ("answers", "miou", "difference", "per_class", "strip")
        for kind in ("svg", "png")
    }
    tables = {
        "table3.csv",
        "table3.json",
        "table3.md",
        "table3.tex",
        "table3.html",
        "table3_per_class.csv",
        "table3_claims.csv",
        "table3_claims.md",
    }
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == figures | tables


def test_csv_keeps_published_and_measured_apart(summary: Summary):
    lines = list(csv.DictReader(io.StringIO(to_csv(view_of(summary)))))
    msaf = lines[-1]
    assert [line["row"] for line in lines] == [row.label for row in summary.rows]
    assert (
        msaf["MonA"],
        msaf["published_miou"],
        msaf["seeds"],
        msaf["state"],
        msaf["difference"],
    ) == ("1", "80.4", "5", "done", "")
    wanted = [
        "published_miou",
        "measured_miou",
        "sd",
        "ci_low",
        "ci_high",
        "seeds",
        "difference",
        "diff_low",
        "diff_high",
        "p",
        "params",
        "state",
    ]
    assert set(wanted) < set(msaf)
    assert summary.rows[-1].interval is not None
    assert float(msaf["measured_miou"]) == pytest.approx(summary.rows[-1].interval.mean, abs=1e-3)
    classes = list(csv.DictReader(io.StringIO(to_per_class_csv(view_of(summary)))))
    assert (len(classes), classes[0]["pedestrian"]) == (9, "")
    assert float(classes[0]["road"]) == pytest.approx(summary.rows[0].per_class[3], abs=1e-3)


def test_markdown_starts_with_the_conditions(summary: Summary):
    lines = to_markdown(view_of(summary)).splitlines()
    assert all(
        word in lines[0] for word in ("data street", "preset quick", "seeds 0 to 4", "Example CPU")
    )
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 * (2 + 9)
    assert [len({line.count("|") for line in half}) for half in (table[:11], table[11:])] == [1, 1]
    assert "published mIoU | measured mIoU" in table[0]


def test_latex_is_a_table_environment(summary: Summary):
    text = to_latex(view_of(summary))
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    lines = [
        line for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line
    ]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {13}
    assert text.count(r"\begin{") == text.count(r"\end{") == 4
    assert text.count("{") == text.count("}")
    assert text.count(r"\checkmark") == 4 + 2 + 6 + 2


def test_page_needs_nothing_from_outside(page: Page, folder: Path):
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "base")
        for name in ("src", "xlink:href", "poster", "srcset"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/"))
        # links lead into the page and to the files beside it
        target = attributes.get("href") or "#"
        assert target.startswith(("#", "records/", "figures/", "table3."))
        assert not any(name.startswith("on") for name in attributes)
    text = (folder / "table3.html").read_text()
    assert not re.search(r"https?:", text)
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert script
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|eval\(|WebSocket", script[1])
    assert "@import" not in text
    policy = next(
        meta for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    )
    digest = b64encode(sha256(script[1].encode()).digest()).decode()
    assert "default-src 'none'" in str(policy["content"])
    assert f"script-src 'sha256-{digest}'" in str(policy["content"])


def test_page_can_be_read_by_all(page: Page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert page.of("html")[0]["lang"] == "en"
    assert len(page.of("h1")) == 1
    assert all(len(page.of(landmark)) == 1 for landmark in ("header", "nav", "main", "footer"))
    assert all(th.get("scope") in ("col", "row", "colgroup", "rowgroup") for th in page.of("th"))
    assert len(page.of("table")) == len(page.of("caption"))
    for svg in page.of("svg"):
        if svg.get("aria-hidden") == "true":  # a bar beside its number
            continue
        assert svg["role"] == "img"
        labels = str(svg.get("aria-labelledby", "")).split()
        assert svg.get("aria-label") or (labels and set(labels) < set(ids))
    assert all(image["alt"] for image in page.of("img"))
    anchors = {str(a["href"]) for a in page.of("a") + page.of("use") if a.get("href")}
    assert {name for name in anchors if name.startswith("#")} <= {f"#{name}" for name in ids}


def test_page_clips_point_at_their_own_figure(folder: Path):
    text = (folder / "table3.html").read_text()
    ids = set(re.findall(r'id="([^"]+)"', text))
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= ids


def test_page_says_it_all(page: Page, summary: Summary):
    for words in (
        "Published",
        "Measured here",
        "✓ same direction here",
        "? undecided here",
        "MSAF beats w/o DCN",
        "road everywhere scores",
        "detected with 5 seeds",
    ):
        assert words in " ".join(page.text.split())
    records = {a["href"] for a in page.of("a")}
    assert all(f"records/{run.trial}.json" in records for row in summary.rows for run in row.runs)
    assert "– %" not in page.text


def test_nothing_escapes_from_a_cell(hostile: Summary, tmp_path: Path):
    render(view_of(hostile), tmp_path)
    page = Page((tmp_path / "table3.html").read_text())
    assert page.of("script") == [{"type": "application/json", "id": "run"}, {}]  # ours alone
    assert HOSTILE[0] in page.text
    rows = list(csv.reader(io.StringIO(to_csv(view_of(hostile)))))
    assert [row[0] for row in rows[1:6]] == [HOSTILE[0], "'=1+1", *HOSTILE[2:]]
    assert not any(
        cell.startswith("=")
        for table in (rows, csv.reader(io.StringIO(to_per_class_csv(view_of(hostile)))))
        for row in table
        for cell in row
    )
    markdown = to_markdown(view_of(hostile))
    assert "<script" not in markdown
    assert "[x](" not in markdown
    tables = [part.splitlines() for part in markdown.split("\n\n") if part.startswith("|")]
    assert [len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) for lines in tables] == [
        1,
        1,
    ]
    latex = to_latex(view_of(hostile))
    assert r"50\_\%\&\#\$\textbackslash{}\textasciitilde{}\textasciicircum{}\{\}\$" in latex
    assert r"\textless{}script\textgreater{}" in latex
    assert "\n[" not in latex


def test_a_tables_name_stays_in_the_folder(make: Make, table: Table, tmp_path: Path):
    summary = make(
        table.model_copy(update={"name": "../../x y"}), change=lambda records, trials: {}
    )
    assert {path.parent for path in render(view_of(summary), tmp_path / "in")} == {tmp_path / "in"}


def test_bytes_are_the_same_each_time(make: Make, folder: Path, tmp_path: Path, strip: Strip):
    render(view_of(make()), tmp_path, strip=strip)
    for path in folder.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes(), path


def test_svg_carries_no_date(folder: Path):
    for path in (folder / "figures").glob("*.svg"):
        assert b"dc:date" not in path.read_bytes()


def test_before_the_first_record(make: Make, tmp_path: Path):
    summary = make(change=lambda records, trials: {})
    paths = render(view_of(summary), tmp_path)
    assert not any("figures" in str(path) for path in paths)
    page = Page((tmp_path / "table3.html").read_text())
    assert "No trial has finished yet" in page.text
    assert (
        to_csv(view_of(summary)).count("missing")
        == to_markdown(view_of(summary)).count("missing")
        == to_latex(view_of(summary)).count("missing")
        == 9
    )


@pytest.mark.usefixtures("undrawn")
def test_half_a_run(make: Make, tmp_path: Path):
    def change(records: dict[str, Record], trials: list[Trial]) -> dict[str, Record]:
        kept = {trial.id: records[trial.id] for trial in trials[:12]}
        return kept | {
            trials[3].id: (
                records[trials[3].id].model_copy(
                    update={"state": "failed", "reason": "killed x3", "confusion": None}
                )
            )
        }

    render(view_of(make(change=change)), tmp_path)
    page = Page((tmp_path / "table3.html").read_text())
    assert "partial 4/5 seeds" in page.text
    assert "killed x3" in page.text
    assert "No seed finished in both rows." in page.text
    assert "no difference has an interval, so no comparison is decided" in page.text


@pytest.mark.usefixtures("undrawn")
def test_one_seed_and_its_watermark(make: Make, conditions: Conditions, tmp_path: Path):
    summary = make(
        seeds=[0], conditions=conditions.model_copy(update={"watermark": "SMOKE RUN: not a result"})
    )
    render(view_of(summary), tmp_path)
    for path in ("table3.csv", "table3_per_class.csv", "table3.md", "table3.tex", "table3.html"):
        assert "SMOKE RUN: not a result" in (tmp_path / path).read_text(), path
    page = Page((tmp_path / "table3.html").read_text())
    assert "One shared seed gives no interval." in page.text


def test_effects_of_a_complete_design(make: Make, factorial: Table):
    text = Page(to_html(view_of(make(factorial)), [])).text
    assert "MonA × StaA × SemA" in text
    assert "raises mIoU" in text


def test_a_folder_that_cannot_be_written(make: Make, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="cannot write"):
        render(view_of(make(change=lambda records, trials: {})), tmp_path / "file")
