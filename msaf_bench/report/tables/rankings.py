"""Rank agreement with the paper as text and as CSV."""

from collections.abc import Sequence

from msaf_bench.findings.digits import MINUS, NONE, number, p_value
from msaf_bench.findings.rankings import Ranking
from msaf_bench.report.tables.values import csv_lines, said_values
from msaf_bench.report.view import View
from msaf_bench.stats.concordance import LEAST

RANKING = ("Ours", "The paper's", "Rows", "n", "tau-b", "95 % interval", "p", "Verdict")


def to_rankings_csv(view: View) -> str:
    """Return the rank agreements as CSV, one line each."""
    said = said_values(view.summary)
    heads = ("ours", "paper", "rows", "n", "tau_b", "low", "high", "p", "verdict", *said)
    return csv_lines(heads, [(*_values(r), *said.values()) for r in view.rankings])


def _values(ranking: Ranking) -> tuple[str | float | None, ...]:
    f = ranking.found
    pair = (ranking.ours, ranking.paper, ranking.rows)
    return (*pair, f.rows, f.tau, f.low, f.high, f.p, ranking.verdict)


def ranking_texts(ranking: Ranking) -> tuple[str, ...]:
    """Return the cells of a rank agreement under the heads `RANKING`."""
    f = ranking.found
    return (
        ranking.ours,
        ranking.paper,
        ranking.rows,
        str(f.rows),
        number(f.tau),
        NONE if f.low is None else f"{number(f.low)} to {number(f.high)}",
        p_value(f.p),
        ranking.verdict,
    )


def ranking_legend(shown: Sequence[Ranking]) -> list[str]:
    """Return the legend of the rank agreements."""
    lines = [
        (
            f"tau-b: Kendall's rank correlation of two orders of the rows; 1 equal, 0 unrelated,"
            f" {MINUS}1 reversed. Ours: mean over seeds."
        ),
        "Interval: 95 %, bootstrap over rows. p: two-sided permutation test over rows.",
        (
            "Agrees, reversed: the whole interval lies above or below 0. Undecided: it includes 0,"
            f" or there are fewer than {LEAST} rows and no interval."
        ),
        (
            "Comparable: the system itself and not one in its style, all parts live, no dagger on"
            " the printed number. All: every row with both numbers; supports no conclusion."
        ),
    ]
    if any(ranking.paper == "printed FPS" for ranking in shown):
        lines.append(
            "Printed FPS: all rows mix hardware and frame sizes; for the comparable rows the paper"
            " does not name its hardware."
        )
    return lines
