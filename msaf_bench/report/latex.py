"""The table as LaTeX: `table` environments for rows, controls, the second table and the pulse of
the parts.
"""

from collections.abc import Iterable, Sequence

from msaf_bench.findings.subjects import RowSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.report.cells import latex_text, made_and_noted
from msaf_bench.report.control_table import control_heads, control_legend, control_texts
from msaf_bench.report.motion import motion_of
from msaf_bench.report.pulse_table import TITLE, pulse_table
from msaf_bench.report.second_table import columns, legend
from msaf_bench.report.tables import first_legend, texts


def to_latex(summary: Summary) -> str:
    """`table` environments; the preamble needs booktabs, amssymb and graphicx."""
    return "% Needs \\usepackage{booktabs,amssymb,graphicx}\n" + "".join(
        [_first(summary), latex_controls(summary), _second(summary), latex_pulse(summary)]
    )


def _first(summary: Summary) -> str:
    ticks = [latex_text(column) for column, _ in summary.table.ticks]
    first = 3 + len(ticks)
    rules = f"\\cmidrule(lr){{{first}-{first + 3}}}\\cmidrule(lr){{{first + 4}-{first + 6}}}"
    caption = (
        f"{summary.table.title}. {made_and_noted(summary)} {motion_of(summary).sentence}"
        f" {' '.join(first_legend(summary))}"
    )
    body = [
        rf"\begin{{tabular}}{{l{'c' * len(ticks)}rrrrrrrrrl}}",
        r"\toprule",
        " & " * (1 + len(ticks)) + r"Published & \multicolumn{4}{c}{Measured} &",
        rf"\multicolumn{{3}}{{c}}{{Difference to {latex_text(summary.table.reference)}}} & & \\",
        rules,
        " & ".join(
            [
                "Row",
                *ticks,
                "mIoU",
                "mIoU",
                r"95\,\% interval",
                "sd",
                "seeds",
                "points",
                r"95\,\% interval",
                "$p$",
            ]
        )
        + r" & params (M) & state \\",
        r"\midrule",
        *(_row(row) for row in summary.rows),
        *ENDS,
    ]
    return environment(caption, latex_label(summary), body)


def _row(row: RowSummary) -> str:
    ticks = [r"\checkmark" if tick else "" for tick in row.ticks]
    return (
        " & ".join(
            [latex_text(row.shown), *ticks, *map(latex_text, texts(row)), latex_text(row.standing)]
        )
        + r" \\"
    )


def _second(summary: Summary) -> str:
    second = columns(summary)
    if not second:
        return ""
    lines = [
        [(subject.shown, *(column.text(subject) for column in second)) for subject in part]
        for part in (summary.rows, summary.controls)
    ]
    caption = " ".join(
        (
            f"{summary.table.title}, beside the mIoU.",
            made_and_noted(summary),
            *legend(summary, second),
        )
    )
    return environment(
        caption,
        f"{latex_label(summary)}-beside",
        tabular(["Row", *(column.head for column in second)], *lines),
    )


def latex_controls(summary: Summary) -> str:
    """The controls in an environment of their own."""
    if not summary.controls:
        return ""
    caption = (
        f"{summary.table.title}, controls. {made_and_noted(summary)}"
        f" {' '.join(control_legend(summary))}"
    )
    lines = [control_texts(summary, control) for control in summary.controls]
    return environment(
        caption, f"{latex_label(summary)}-controls", tabular(control_heads(summary), lines)
    )


def latex_pulse(summary: Summary) -> str:
    """The pulse of the parts."""
    table = pulse_table(summary)
    if table is None:
        return ""
    caption = (
        f"{summary.table.title}, {TITLE.lower()}. {made_and_noted(summary)}"
        f" {' '.join(table.legend)}"
    )
    return environment(
        caption,
        f"{latex_label(summary)}-pulse",
        tabular(("Row", *table.parts), list(table.texts())),
    )


def latex_label(summary: Summary) -> str:
    """The table's name in a label of LaTeX."""
    return "".join(c for c in summary.table.name if c.isalnum() or c == "-")


ENDS = (r"\bottomrule", r"\end{tabular}}")  #: of a tabular inside the box of an environment


def tabular(heads: Sequence[str], *blocks: Iterable[Sequence[str]]) -> list[str]:
    """Lines of cells under heads, a rule before each block that is not empty."""
    lines = [rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule", latex_line(heads)]
    for block in blocks:
        if cells := [latex_line(line) for line in block]:
            lines += [r"\midrule", *cells]
    return [*lines, *ENDS]


def latex_line(cells: Sequence[str]) -> str:
    """One line of a tabular."""
    return " & ".join(map(latex_text, cells)) + r" \\"


def environment(caption: str, label: str, body: Sequence[str]) -> str:
    """A table with its caption, as wide as the text."""
    start = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_text(caption)}}}",
        rf"\label{{tab:{label}}}",
    ]
    return "\n".join([*start, r"\resizebox{\linewidth}{!}{%", *body, r"\end{table}", ""])
