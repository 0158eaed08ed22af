"""Charts of each kind of table, in the order of the page."""

from msaf_bench.report.figures.accuracy import differences, order
from msaf_bench.report.figures.answers import answers_chart
from msaf_bench.report.figures.beside import beside
from msaf_bench.report.figures.canvas import Chart, styled
from msaf_bench.report.figures.classes import classes
from msaf_bench.report.figures.past import past_frames
from msaf_bench.report.figures.tradeoff import tradeoff_chart
from msaf_bench.report.figures.tuning import tuning_chart
from msaf_bench.report.view import View


def variant_charts(view: View) -> list[Chart]:
    """Return the charts of a table of variants; none before the first trial finishes."""
    if not view.summary.measured:
        return []
    with styled():
        return _filled(
            answers_chart(view),
            past_frames(view),
            order(view),
            differences(view),
            classes(view),
            beside(view, log=False),
            tuning_chart(view),
        )


def system_charts(view: View) -> list[Chart]:
    """Return the charts of a table of whole systems; none before the first trial finishes.

    Differences with one seed have no intervals and are left out.
    """
    if not view.summary.measured:
        return []
    with styled():
        return _filled(
            *(tradeoff_chart(view, tradeoff) for tradeoff in view.tradeoffs),
            past_frames(view),
            order(view),
            differences(view) if len(view.summary.seeds) > 1 else None,
            classes(view),
            beside(view, log=True),
            tuning_chart(view),
        )


def _filled(*charts: Chart | None) -> list[Chart]:
    return [chart for chart in charts if chart]
