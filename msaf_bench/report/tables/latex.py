"""LaTeX shared by all reports: environments, tabulars, controls and pulse."""

from collections.abc import Iterable, Sequence

from msaf_bench.findings.digits import MINUS
from msaf_bench.findings.summary import Summary
from msaf_bench.report.provenance import made_and_noted
from msaf_bench.report.tables.controls import control_heads, control_legend, control_texts
from msaf_bench.report.tables.pulse import TITLE
from msaf_bench.report.view import View

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    MINUS: "$-$",
    "\N{MICRO SIGN}": r"\textmu{}",
    "≈": r"$\approx$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    **{sign: "\\" + sign for sign in "{}$&#_%"},
    "[": "{[}",  # a leading bracket would be an option of the line break before it
    "]": "{]}",
}


def latex_text(text: str) -> str:
    """Return text with LaTeX's special characters escaped, on one line."""
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))


def latex_controls(view: View) -> str:
    """Return the controls in a separate environment."""
    summary = view.summary
    if not summary.controls:
        return ""
    caption = (
        f"{summary.table.title}, controls. {made_and_noted(view.made_how, summary)}"
        f" {' '.join(control_legend(summary))}"
    )
    lines = [control_texts(summary, control) for control in summary.controls]
    return environment(
        caption, f"{latex_label(summary)}-controls", tabular(control_heads(summary), lines)
    )


def latex_pulse(view: View) -> str:
    """Return the pulse of the parts in a separate environment."""
    table, summary = view.pulse, view.summary
    if table is None:
        return ""
    caption = (
        f"{summary.table.title}, {TITLE.lower()}. {made_and_noted(view.made_how, summary)}"
        f" {' '.join(table.legend)}"
    )
    return environment(
        caption,
        f"{latex_label(summary)}-pulse",
        tabular(("Row", *table.parts), list(table.texts())),
    )


def latex_label(summary: Summary) -> str:
    """Return the table's name as a LaTeX label."""
    return "".join(c for c in summary.table.name if c.isalnum() or c == "-")


ENDS = (r"\bottomrule", r"\end{tabular}}")  #: end of a tabular inside the box of an environment


def tabular(heads: Sequence[str], *blocks: Iterable[Sequence[str]]) -> list[str]:
    """Return a tabular with heads, and a rule before each non-empty block of lines."""
    lines = [rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule", latex_line(heads)]
    for block in blocks:
        if cells := [latex_line(line) for line in block]:
            lines += [r"\midrule", *cells]
    return [*lines, *ENDS]


def latex_line(cells: Sequence[str]) -> str:
    """Return one line of a tabular."""
    return " & ".join(map(latex_text, cells)) + r" \\"


def environment(caption: str, label: str, body: Sequence[str]) -> str:
    """Return a table with its caption, scaled to the text width."""
    start = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_text(caption)}}}",
        rf"\label{{tab:{label}}}",
    ]
    return "\n".join([*start, r"\resizebox{\linewidth}{!}{%", *body, r"\end{table}", ""])
