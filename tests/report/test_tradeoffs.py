"""Accuracy against speed and consistency: the front, what has no place on it, and labels that cover
nothing.
"""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.text import Text

from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import entries
from msaf_bench.findings.tradeoffs import tradeoffs
from msaf_bench.report.figures.canvas import Chart, styled, to_bytes
from msaf_bench.report.figures.placement import place
from msaf_bench.report.figures.tradeoff import tradeoff_chart
from msaf_bench.report.view import View

MakeSystems = Callable[..., Summary]


def charts_of(view: View) -> list[Chart]:
    with styled():
        return [tradeoff_chart(view, tradeoff) for tradeoff in view.tradeoffs]


def test_nothing_beats_the_front(whole: Summary):
    speed, consistency = tradeoffs(entries(whole))
    assert (speed.name, consistency.name) == ("speed", "consistency")
    for tradeoff in (speed, consistency):
        for point in tradeoff.measured:
            beaten = any(
                o.x >= point.x and o.miou >= point.miou and (o.x, o.miou) != (point.x, point.miou)
                for o in tradeoff.measured
            )
            assert point.front != beaten, point.entry.found.label


@pytest.mark.slow
def test_an_unranked_time_is_shown_and_not_on_the_front(make_systems: MakeSystems):
    fastest = max(
        tradeoffs(entries(make_systems()))[0].front, key=lambda point: point.x
    ).entry.found.label
    speed = tradeoffs(entries(make_systems(flags={fastest: (("other output", ""),)})))[0]
    assert fastest in [point.entry.found.label for point in speed.measured]
    assert fastest not in [point.entry.found.label for point in speed.front]


@pytest.mark.slow
def test_measured_and_printed_points_have_axes_of_their_own(whole_view: View):
    for chart in charts_of(whole_view):
        measured, printed = chart.figure.axes
        assert "measured here" in measured.get_title(loc="left")
        assert "Published" in printed.get_title(loc="left")
        assert chart.columns[1] == "mIoU"
        assert chart.columns[-2].startswith("published")
        assert len(chart.lines) == len({line[0] for line in chart.lines})


@pytest.mark.slow
def test_no_label_covers_another_in_the_figure(whole_view: View):
    for chart in charts_of(whole_view):
        to_bytes(chart.figure, "png")
        for axes in chart.figure.axes:
            # without the line to its point
            boxes = [Text.get_window_extent(text) for text in axes.texts]
            assert len(boxes) > 5
            assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_labels_of_a_crowd_cover_no_label_and_no_point(seed: int):
    rng = np.random.default_rng(seed)
    points = np.concatenate(
        [rng.normal((200, 150), (60, 30), (20, 2)), rng.uniform((20, 20), (560, 330), (9, 2))]
    )
    sizes = np.stack([rng.uniform(30, 70, 29), np.full(29, 9.0)], 1)
    centres = place(points, sizes, (0, 0, 580, 350))
    low, high = centres - sizes / 2, centres + sizes / 2
    shared = np.clip(
        np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None]), 0, None
    ).prod(-1)
    assert (shared - np.diag(np.diag(shared))).max() == 0
    inside = (points[:, None] > low[None]).all(-1) & (points[:, None] < high[None]).all(-1)
    assert not inside.any()
    assert (low >= 0).all()
    assert (high <= (580, 350)).all()


def test_no_points_no_labels():
    assert place(np.zeros((0, 2)), np.zeros((0, 2)), (0, 0, 1, 1)).shape == (0, 2)
