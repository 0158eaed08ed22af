"""Figures: text that is text, marks that know their row, legends of what is drawn, labels apart."""

import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text

from msaf_bench.data.street import COLOURS
from msaf_bench.findings.run import summarise_run
from msaf_bench.findings.summary import Summary
from msaf_bench.report.figures.accuracy import differences, order
from msaf_bench.report.figures.answers import answers_chart
from msaf_bench.report.figures.canvas import (
    Chart,
    Drawn,
    blank,
    both_formats,
    log_x,
    name_columns,
    styled,
    to_bytes,
)
from msaf_bench.report.figures.charts import system_charts, variant_charts
from msaf_bench.report.figures.classes import classes
from msaf_bench.report.figures.marks import mark, named_svg
from msaf_bench.report.figures.past import past_frames
from msaf_bench.report.figures.strip import Strip, draw
from msaf_bench.report.figures.tradeoff import tradeoff_chart
from msaf_bench.report.kinds import view_of
from msaf_bench.report.page.inline import inline_figures, inline_svg
from msaf_bench.report.pictures import words_of
from msaf_bench.report.view import View
from msaf_bench.spec import Table
from msaf_bench.sweep.workspace import Workspace

SVG = "{http://www.w3.org/2000/svg}"
REFERENCE = Path(__file__).parents[2] / "reports" / "reference"
Make = Callable[..., Summary]


@pytest.fixture(scope="module")
def variants(moved: Summary) -> list[Drawn]:
    """Every chart of variants, drawn."""
    return [Drawn(c, both_formats(c.figure, c.title, c.description)) for c in charts_of(moved)]


def of_rows(charts: list[Drawn]) -> list[Drawn]:
    """The charts with one mark per row; the answers compare two rows each."""
    rows = [drawn for drawn in charts if drawn.chart.name != "answers"]
    assert len(rows) == len(charts) - 1
    return rows


def charts_of(summary: Summary) -> list[Chart]:
    return variant_charts(view_of(summary))


def tree(svg: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def rows_in(svg: bytes) -> set[str]:
    return {row for group in tree(svg).iter() if (row := group.get("data-row")) is not None}


def drawn_order(view: View) -> Chart:
    with styled():
        chart = order(view)
        chart.figure.draw_without_rendering()
    return chart


def legend_of(chart: Chart) -> list[str]:
    return [text.get_text() for each in chart.figure.legends for text in each.get_texts()]


@pytest.mark.slow
def test_text_is_text(variants: list[Drawn], moved: Summary):
    for chart, formats in of_rows(variants):
        texts = ["".join(text.itertext()) for text in tree(formats["svg"]).iter(f"{SVG}text")]
        assert {row.shown for row in moved.rows} - {"MSAF"} <= set(texts), chart.name
        assert b"DejaVuSans-" not in formats["svg"]  # no outlines of glyphs


@pytest.mark.slow
def test_every_rows_marks_carry_its_label_and_say_a_number(
    variants: list[Drawn], moved: Summary, whole_view: View
):
    labels = {row.label for row in moved.rows}
    names = {control.label for control in moved.controls}
    for chart, formats in of_rows(variants):
        expected = labels - ({"MSAF"} if chart.name == "difference" else set())
        found = rows_in(formats["svg"])
        assert found - names == expected, chart.name
        assert (found >= names) is (chart.name in ("miou", "past")), chart.name
        titles = {e.text or "" for e in tree(formats["svg"]).iter(f"{SVG}title")}
        for row in moved.rows:
            if row.label in expected:
                assert any(row.shown in title for title in titles), (chart.name, row.label)
    measured = {row.label for row in whole_view.summary.measured}
    printed = {row.label for row in whole_view.summary.rows} - measured
    for chart in system_charts(whole_view):
        found = rows_in(to_bytes(chart.figure, "svg"))
        assert measured <= found | printed, chart.name


@pytest.mark.slow
def test_a_figure_has_a_title_and_a_description(variants: list[Drawn]):
    for chart, formats in variants:
        root = tree(formats["svg"])
        assert root.get("aria-labelledby") == "title desc"
        assert root[0].tag == f"{SVG}title"
        assert (root[0].text, root[1].text) == (chart.title, chart.description)


@pytest.mark.slow
def test_in_a_page_rows_stay_and_ids_and_fonts_are_the_pages(variants: list[Drawn]):
    texts = [str(svg) for _, svg in inline_figures(variants)]
    ids = [name for text in texts for name in re.findall(r' id="([^"]*)"', text)]
    assert len(ids) == len(set(ids))
    for (chart, formats), text in zip(variants, texts, strict=True):
        assert "font-family" not in text
        assert "font-size" in text
        assert text.count("data-row=") == formats["svg"].count(b"data-row=")
        assert f'<title id="figure-{chart.name}-title">{escape(chart.title)}</title>' in text
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', text)) <= set(ids)


def test_names_are_escaped():
    label = "<b a='1' c=\"2\">&\\ ü†"
    with styled():
        figure, (axes,) = blank(1.0)
        mark(axes.plot([0, 1], [0, 1])[0], label, f"{label}: 1 %")
        mark(axes.text(0, 0, label), label)
        svg = to_bytes(figure, "svg", label, label)
    assert rows_in(svg) == {label}
    assert {e.text for e in tree(svg).iter(f"{SVG}title")} == {label, f"{label}: 1 %"}
    page = str(inline_svg(svg, Chart("x", label, label, figure)))
    assert "<b " not in page
    assert ElementTree.fromstring(page).get("aria-labelledby") == "figure-x-title figure-x-desc"


def test_without_a_title_a_figure_has_none():
    assert named_svg("<svg a='1'><g/></svg>", "", "") == "<svg a='1'><g/></svg>"


@pytest.mark.slow
def test_a_legend_says_only_what_is_drawn(make_moving: Make, moved: Summary, whole_view: View):
    one = view_of(make_moving(seeds=[0]))
    for chart in (*variant_charts(one), *system_charts(whole_view)):
        said = [t.get_text() for axes in chart.figure.axes for t in (*axes.texts, axes.title)]
        assert not [text for text in legend_of(chart) if "interval" in text], chart.name
        assert not [text for text in said if "seeds" in text or "· 1 seed" in text], chart.name
    assert "row: mean and 95 % interval" in legend_of(order(view_of(moved)))
    assert "one seed" in legend_of(order(view_of(moved)))
    assert "1 seed" in drawn_order(one).figure.axes[-1].get_title(loc="left")


def test_rows_stand_by_value_on_one_scale_and_the_unit_is_said_once(summary: Summary):
    chart = drawn_order(view_of(summary))
    means = [float(line[2]) for line in chart.lines]
    assert means == sorted(means, reverse=True)
    inches = [
        axes.get_window_extent().width / np.ptp(axes.get_xlim()) for axes in chart.figure.axes
    ]
    assert inches[0] == pytest.approx(inches[1], rel=0.05)
    said = [text.get_text() for text in chart.figure.findobj(Text) if "mIoU" in text.get_text()]
    assert len(said) == 1
    constant = "best constant prediction (road)"
    assert constant in " ".join([*legend_of(chart), *(t.get_text() for t in chart.figure.texts)])


@pytest.mark.slow
def test_daggers_stay(make: Make, table: Table):
    rows = tuple(
        (label, row.model_copy(update={"provenance": (("miou", "of another network"),)}))
        if label == "MSAF"
        else (label, row)
        for label, row in table.rows
    )
    chart = order(view_of(make(table.model_copy(update={"rows": rows}))))
    published = {text.get_text() for text in chart.figure.axes[0].texts}
    assert {text for text in published if "†" in text} == {"80.4†"}
    assert "† produced otherwise" in " ".join(text.get_text() for text in chart.figure.texts)


def test_classes_that_no_row_finds_are_named_below(summary: Summary):
    chart = classes(view_of(summary))
    assert chart is not None
    (axes,) = chart.figure.axes
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert "pedestrian" not in shown  # no pixel
    assert "pedestrian" in " ".join(text.get_text() for text in chart.figure.texts)
    assert "pedestrian" in chart.columns
    assert len(axes.texts) == len(shown) * len(summary.rows)


def test_names_of_columns_are_never_slanted():
    for names in (["sky", "road"], ["traffic light"] * 19):
        with styled():
            figure, (axes,) = blank(2.0)
            name_columns(axes, names, 7.0 / len(names))
            axes.set_xlim(0, len(names))
            figure.draw_without_rendering()
        labels = axes.get_xticklabels()
        assert {label.get_rotation() for label in labels} <= {0.0, 90.0}
        boxes = [label.get_window_extent() for label in labels]
        assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:], strict=False))


@pytest.mark.parametrize(("low", "high"), [(50, 250), (0.3, 30), (0.01, 2), (90, 110), (1, 1e6)])
def test_a_logarithmic_axis_has_enough_ticks_and_not_too_many(low: float, high: float):
    with styled():
        _, (axes,) = blank(2.0)
        axes.plot([low, high], [0, 1])
        log_x(axes, 9)
    ticks = axes.get_xticks()
    assert 2 <= len(ticks) <= 9
    assert all(axes.get_xlim()[0] <= tick <= axes.get_xlim()[1] for tick in ticks)


def shaded(chart: Chart) -> np.ndarray:
    """The luminance of the picture, from black 0 to white 255."""
    from io import BytesIO

    from PIL import Image

    return np.asarray(Image.open(BytesIO(to_bytes(chart.figure, "png"))).convert("L"))


@pytest.mark.slow
def test_the_answers_are_drawn_as_they_are_said(moved: Summary):
    view = view_of(moved)
    answers = view.answers.lines
    chart = answers_chart(view)
    assert chart is not None
    assert [line[:3] for line in chart.lines] == [(a.part, a.amount, a.word) for a in answers]
    assert set(legend_of(chart)) == {answer.word for answer in answers}
    (axes,) = chart.figure.axes
    dots = {line.get_ydata()[0]: line for line in axes.lines if len(line.get_xdata()) == 1}
    bars = {
        line.get_ydata()[0]: line.get_xdata()
        for line in axes.lines
        if len(line.get_xdata()) == 2 and line.get_ydata()[0] == line.get_ydata()[1]
    }
    for y, answer in enumerate(answers):
        assert answer.interval is not None
        assert dots[y].get_xdata()[0] == answer.interval.mean
        assert list(bars[y]) == [answer.interval.low, answer.interval.high]
    assert {e.text for e in tree(to_bytes(chart.figure, "svg")).iter(f"{SVG}title")} == {
        answer.sentence for answer in answers
    }


@pytest.mark.slow
def test_differences_are_told_apart_in_grey(moved: Summary):
    chart = differences(view_of(moved))
    assert chart is not None
    handles = [line for each in chart.figure.legends for line in each.get_lines()]
    markers = {str(line.get_marker()) for line in handles}
    assert len(markers) == len(handles) > 2
    assert shaded(chart).min() < 60


def palette_distance(matrix: np.ndarray) -> float:
    """The least distance of two colours of the street, or one and void's black, in CIELAB."""
    rgb = np.array([*COLOURS, (0, 0, 0)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ matrix.T
    to_xyz = np.array(
        [[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07217], [0.01933, 0.11919, 0.95030]]
    )
    xyz = np.clip(linear, 0, 1) @ to_xyz.T / (0.95047, 1.0, 1.08883)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lab = np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )
    return float(
        np.linalg.norm(lab[:, None] - lab[None], axis=-1)[~np.eye(len(lab), dtype=bool)].min()
    )


@pytest.mark.parametrize(
    "matrix",
    [
        np.eye(3),
        # Machado, Oliveira and Fernandes (2009): no green, no red cones
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    ],
    ids=["all", "no green", "no red"],
)
def test_the_streets_colours_are_far_apart(matrix: list[list[float]]):
    assert palette_distance(np.array(matrix)) > 25


def test_the_strip_says_frame_seed_and_score(summary: Summary):
    truth = np.array([[0, 0, 1, 1]], np.uint8)
    half = np.array([[0, 0, 0, 1]], np.uint8)
    strip = Strip(
        [np.zeros((1, 4, 3), np.uint8)] * 2,
        [truth] * 2,
        {"MSAF": [truth, half]},
        ((0, 0, 0), (9, 9, 9)),
        ("a", "b"),
        names=[words_of("00001/002"), words_of("0016E5/07959")],
        seed=3,
    )
    chart = draw(strip, view_of(summary))
    titles = [axes.get_title(loc="left") for axes in chart.figure.axes]
    assert titles == ["video 1, frame 2", "video 0016E5, frame 7959", "", "", "100", "58"]
    assert "seed 3" in chart.figure.get_suptitle()
    svg = to_bytes(chart.figure, "svg", chart.title, chart.description)
    assert rows_in(svg) == {"MSAF"}
    assert b"MSAF: mIoU 58 % in this frame" in svg
    assert words_of("x") == "frame x"


def named_boxes(axes: Axes) -> list[Text]:
    return [text for text in axes.texts if text.get_text()]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["table1-camvid-quick", "table1-street-quick", "table2-street-quick"]
)
def test_no_label_of_the_reference_covers_a_label_or_a_point(name: str):
    workspace = Workspace(REFERENCE / name)
    view = view_of(summarise_run(workspace, workspace.plan()))
    for tradeoff in view.tradeoffs:
        with styled():
            chart = tradeoff_chart(view, tradeoff)
            chart.figure.draw_without_rendering()
        panels = zip(chart.figure.axes, (tradeoff.measured, tradeoff.printed), strict=False)
        for axes, points in panels:
            boxes = [Text.get_window_extent(text) for text in named_boxes(axes)]
            assert len(boxes) == len(points)
            assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
            at = axes.transData.transform([(point.x, point.miou) for point in points])
            assert not any(box.contains(*place) for box in boxes for place in at)
            frame = axes.get_window_extent()
            assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
        subject = [text for text in chart.figure.axes[-1].texts if text.get_fontweight() == "bold"]
        assert subject
        assert all("MSAF" in text.get_text() for text in subject)
        said = legend_of(chart)
        assert "the paper's block: lightweight" in said
        assert "lightweight" not in said


@pytest.mark.slow
def test_a_speed_axis_says_how_it_was_measured(whole_view: View):
    with styled():
        chart = tradeoff_chart(whole_view, whole_view.tradeoffs[0])
    axis = chart.figure.axes[0].get_xlabel()
    assert axis.startswith("frames per second, 64\N{MULTIPLICATION SIGN}128, 1 thread, streaming")


def test_a_row_without_past_frames_has_no_point(summary: Summary):
    assert past_frames(view_of(summary)) is None
