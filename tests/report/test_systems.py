"""A table of whole systems in every format: groups of columns that never mix, marks, what is
missing, and one seed that decides nothing.
"""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from markup import Page

from msaf_bench.claims.verdicts import claims_of
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import entries
from msaf_bench.records import Record
from msaf_bench.report.console import print_summary
from msaf_bench.report.document import to_json
from msaf_bench.report.figures.accuracy import differences
from msaf_bench.report.figures.strip import Strip
from msaf_bench.report.kinds import view_of
from msaf_bench.report.page.page import to_html
from msaf_bench.report.render import render
from msaf_bench.report.tables.systems import to_latex, to_markdown
from msaf_bench.report.tables.values import to_csv, to_per_class_csv
from msaf_bench.report.view import View
from msaf_bench.spec import Trial

pytestmark = pytest.mark.slow

MakeSystems = Callable[..., Summary]
STYLED = "STT ResNet18"


def heads(view: View) -> dict[str, list[str]]:
    return {group.kind: [column.head for column in group.columns] for group in view.groups}


def test_three_groups_never_share_a_column(whole: Summary, whole_view: View):
    assert heads(whole_view) == {
        "measured": [
            "mIoU",
            "TC clean",
            "FPS clip",
            "FPS stream",
            "ms key",
            "ms other",
            "peak MiB",
        ],
        "counted": ["GMAC clip", "GMAC stream", "params (M)", "live MiB"],
        "published": ["mIoU val", "mIoU test", "TC", "FPS"],
    }
    view = whole_view
    texts = {
        e.found.label: [column.text(e) for group in view.groups for column in group.columns]
        for e in view.entries
    }
    assert texts["Accel ResNet18"][1:] == [
        "61.0", "2.3", "4.5", "400.0", "100.0", "50", "30.0", "7.5", "12.346", "0", "–", "72.1†",
        "–", "2.27†"
    ]  # fmt: skip
    assert texts["Other 1"][7] == "34.3+"  # 80 / 7 three times, and a flow that is not counted
    assert texts["MSAF ResNet18 512"][:11] == ["–"] * 11


def test_without_costs_there_is_no_group_of_them(make_systems: MakeSystems):
    assert list(heads(view_of(make_systems(costs=False)))) == ["measured", "published"]


def test_a_name_tells_rows_apart(whole: Summary):
    names = {entry.found.label: entry.name for entry in entries(whole)}
    assert names["Accel ResNet18"] == "Accel"
    assert names["MSAF ResNet101"] == "MSAF"
    assert (names["MSAF ResNet18"], names["MSAF ResNet18 512"]) == (
        "MSAF ResNet18",
        "MSAF ResNet18 512",
    )
    assert names[STYLED] == "≈ STT"


def test_csv_has_what_the_table_has(whole: Summary, whole_view: View):
    lines = {line["row"]: line for line in csv.DictReader(io.StringIO(to_csv(whole_view)))}
    accel = lines["Accel ResNet18"]
    known = (
        "measured_miou",
        "tc_clean",
        "fps_clip",
        "fps_stream",
        "ms_key",
        "ms_other",
        "published_miou_test",
        "published_macs_stream",
    )
    assert all(accel[name] for name in known)
    assert (accel["published_macs_key"], accel["published_macs_other"]) == ("10000000000", "5e+09")
    assert accel["published_daggers"] == "fps miou_test"
    assert (lines[STYLED]["in_style_of_source"], accel["in_style_of_source"]) == (
        "no sizes are given",
        "",
    )
    assert lines["MSAF ResNet18 512"]["state"] == "only printed"
    assert (lines[STYLED]["front_speed"], lines["PSPNet18"]["front_speed"]) == ("1", "0")
    assert "p" not in accel
    assert not any(name.startswith(("images", "ahead")) for name in accel)


@pytest.mark.parametrize("make", [to_markdown, to_latex])
def test_every_text_says_what_is_what(whole: Summary, whole_view: View, make):
    text = make(whole_view)
    for words in (
        "networks that are shrunk" if whole.conditions.shrink else "at their published widths",
        "Counted as published",
        "not of the networks run here",
        "one seed, so no intervals",
        "only in the style of its source: no sizes are given",
        "Only printed, not run: MSAF ResNet18 512",
        "lower bound; not counted: DIS flow",
        "rank agreement with the paper",
    ):
        assert words.lower() in text.lower(), words


def test_markdown_and_latex_are_whole_tables(whole: Summary, whole_view: View):
    tables = [
        part.splitlines() for part in to_markdown(whole_view).split("\n\n") if part.startswith("|")
    ]
    assert [len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) for lines in tables] == [
        1,
        1,
        1,
    ]
    assert len(tables[0]) == 2 + 2 + len(whole.rows)  # two blocks
    latex = to_latex(whole_view)
    assert latex.count(r"\begin{") == latex.count(r"\end{") == 6
    assert latex.count("{") == latex.count("}")
    body = latex[latex.index(r"\toprule") : latex.index(r"\bottomrule")]
    lines = [
        line for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line
    ]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {16}
    assert r"$\approx$ STT" in latex


@pytest.fixture(scope="module")
def folder(whole: Summary, whole_view: View, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("systems")
    render(whole_view, folder)
    return folder


def page_of(view: View) -> str:
    return to_html(view, [])


def test_in_the_style_of_is_said_in_every_table(whole: Summary, whole_view: View):
    page = page_of(whole_view)
    heads = re.findall(r'<th scope="row"[^>]*>([^<]*STT[^<]*)</th>', page)
    assert len(heads) > 6
    assert all("≈" in head for head in heads if ":" not in head)
    assert "no sizes are given" in to_per_class_csv(whole_view)
    said = {claim.id: claim for claim in claims_of(whole) if claim.scope == "run"}
    assert (
        "only in the style of the source: ≈ STT ResNet18" in said[f"whole: {STYLED}: miou"].reason
    )
    assert said[f"whole: {STYLED}: miou"].verdict == "not comparable"
    assert "Only in the style" in said[f"whole: MSAF ResNet18 > {STYLED}"].reason


def test_ticks_are_plain_numbers(folder: Path):
    """Mathematical text is off, so a tick that matplotlib writes with it would be printed as its
    source.
    """
    drawings = [path.read_text() for path in (folder / "figures").glob("*.svg")]
    assert len(drawings) > 4
    assert not any("mathdefault" in drawing for drawing in drawings)


def test_page(folder: Path):
    paths = {path.name for path in folder.rglob("*.*")}
    assert {
        "whole_agreement.csv",
        "whole_tradeoff_speed.svg",
        "whole_tradeoff_consistency.svg",
    } <= paths
    assert "whole_difference.svg" not in paths  # one seed
    page = (folder / "whole.html").read_text()
    assert "1 seed: no difference has an interval, so no comparison is decided." in page
    assert 'id="verdicts"' not in page
    assert (
        page.index('id="table"')
        < page.index('id="figures"')
        < page.index('id="beside"')
        < page.index('id="agreement"')
    )
    tags = Page(page).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    anchors = {str(a["href"]) for tag, a in tags if tag in ("a", "use") and a.get("href")}
    assert {name for name in anchors if name.startswith("#")} <= {f"#{name}" for name in ids}
    assert sum(tag == "table" for tag, _ in tags) == sum(tag == "caption" for tag, _ in tags)


def test_more_seeds_have_intervals_and_verdicts(make_systems: MakeSystems, whole_view: View):
    three = make_systems(seeds=3)
    view = view_of(three)
    assert re.search(r"\d \(\d+\.\d to ", to_markdown(view))
    assert "mIoU, other frames" in [column.head for column in view.second]
    assert "mIoU, other frames" not in [column.head for column in whole_view.second]
    assert differences(view) is not None
    assert 'id="verdicts"' in page_of(view)


def test_rows_without_numbers_say_why(make_systems: MakeSystems):
    def change(records: dict[str, Record], trials: list[Trial]) -> dict[str, Record]:
        failed = records[trials[1].id].model_copy(
            update={"state": "failed", "reason": "killed x3", "confusion": None}
        )
        return {
            **{key: record for key, record in records.items() if key != trials[2].id},
            trials[1].id: failed,
        }

    summary = make_systems(change=change)
    view = view_of(summary)
    said = view.legend
    assert "Accel ResNet18: failed: killed x3." in said
    assert "≈ STT ResNet18: missing." in said
    assert "killed x3" in page_of(view)


def test_before_the_first_record(make_systems: MakeSystems, tmp_path: Path):
    paths = render(view_of(make_systems(change=lambda records, trials: {})), tmp_path)
    assert not any("figures" in str(path) for path in paths)
    assert "No trial has finished yet" in (tmp_path / "whole.html").read_text()


def test_console_and_json(whole: Summary, whole_view: View, capsys: pytest.CaptureFixture[str]):
    print_summary(whole_view)
    said = capsys.readouterr().out
    assert "≈ STT ResNet18" in said
    assert "agrees" in said
    document = to_json(whole_view)
    assert {"ours", "paper", "rows", "found", "verdict"} == set(document["rank_agreement"][0])
    assert document["rows"][1]["ms_key"] == 400.0


def test_many_rows_show_one_sample_in_a_grid(whole: Summary, whole_view: View):
    from msaf_bench.report.figures.strip import draw

    picture = np.zeros((4, 8), np.uint8)
    strip = Strip(
        [np.zeros((4, 8, 3), np.uint8)] * 2,
        [picture] * 2,
        {f"r{n}": [picture] * 2 for n in range(29)},
        ((0, 0, 0),),
        ("a",),
    )
    chart = draw(strip, whole_view)
    assert len([axes for axes in chart.figure.axes if axes.images]) == 31
    assert chart.figure.get_figheight() < 12
