"""The confusion figure: its cells and numbers, its sizes, its bytes."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from msaf_bench.data.labels.classes import class_set
from msaf_bench.report.figures.canvas import WHITE_FROM, to_bytes
from msaf_bench.report.figures.confusion import draw

COUNTS = np.array([[90, 10, 0, 0], [1, 398, 0, 1], [0, 0, 0, 0], [0, 5, 5, 0]])
NAMES = ("road", "tree", "sky")


def numbers(chart):
    """The texts in the cells by (row, column)."""
    axes = chart.figure.axes[0]
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}


def test_cells_are_shares_of_the_true_class():
    chart = draw(COUNTS, NAMES, "3 images")
    dashes = {(2, x): "–" for x in range(4)}  # no pixel of this class
    assert numbers(chart) == {
        (0, 0): "90",
        (0, 1): "10",
        (1, 1): "100",
        (3, 1): "50",
        (3, 2): "50",
        **dashes,
    }
    assert chart.lines[0] == ("road", "90.0", "10.0", "0.0", "0.0")
    assert chart.lines[1] == ("tree", "0.2", "99.5", "0.0", "0.2")


@pytest.mark.slow
def test_void_is_drawn_where_there_is_some():
    def labels(counts):
        axes = draw(counts, NAMES, "").figure.axes[0]
        return [[t.get_text() for t in axis.get_ticklabels()] for axis in (axes.yaxis, axes.xaxis)]

    assert labels(COUNTS) == [[*NAMES, "void"]] * 2
    none = COUNTS.copy()
    none[:, 3] = 0
    assert labels(none) == [[*NAMES, "void"], list(NAMES)]
    none[3] = 0
    assert labels(none) == [list(NAMES)] * 2


@pytest.mark.slow
def test_title_unit_axes_and_partial():
    figure = draw(COUNTS, NAMES, "3 images", partial=True).figure
    axes, bar = figure.axes
    assert "(%)" in axes.get_title(loc="left")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert "%" in bar.get_ylabel()
    assert figure.get_suptitle() == "PARTIAL SCORE"
    assert "3 images" in figure.get_supxlabel()
    assert not draw(COUNTS, NAMES, "").figure.get_suptitle()


def test_it_reads_in_grey_and_its_numbers_stand_out():
    colours = mpl.colormaps["Blues"](np.linspace(0, 1, 101))[:, :3]
    linear = np.where(colours <= 0.03928, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) < 0).all()
    contrast = np.where(
        np.arange(101) > WHITE_FROM, 1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05
    )
    assert contrast.min() > 4.4  # as WCAG asks of text, up to rounding


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 11, 19, 40, 90])
def test_cells_with_numbers_have_room(classes):
    names = class_set(str(classes)).names
    counts = np.diag(np.full(classes + 1, 1000))  # "100" is the widest
    chart = draw(counts, names, "")
    png = Image.open(io.BytesIO(to_bytes(chart.figure, "png")))
    assert max(png.size) < 5000
    axes = chart.figure.axes[0]
    assert bool(axes.texts) == (classes <= 40)
    if axes.texts:
        cell = axes.get_window_extent().width / (classes + 1)
        assert max(text.get_window_extent().width for text in axes.texts) < 0.9 * cell
        assert min(text.get_fontsize() for text in axes.texts) >= 8


@pytest.mark.slow
def test_the_same_bytes_each_time():
    first, second = (to_bytes(draw(COUNTS, NAMES, "x").figure, "svg") for _ in range(2))
    assert first == second
