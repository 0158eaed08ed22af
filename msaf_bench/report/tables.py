"""The table as CSV, Markdown and LaTeX, with the published and the measured number never in one column."""

import math
from collections.abc import Iterable

from msaf_bench.report.cells import csv_document, csv_text, latex_text, made_how, markdown_text, millions, number, p_value, pipes, span
from msaf_bench.report.findings import RowSummary, Summary
from msaf_bench.report.second_table import columns, legend

Cell = str | int | float | None


def to_csv(summary: Summary) -> str:
    """One line a row, plain numbers (mIoU in percent), an empty cell for what is not known; conditions repeat on every line."""
    lines = [row_values(summary, row) for row in summary.rows]
    return csv_lines(lines[0], [line.values() for line in lines])


def to_per_class_csv(summary: Summary) -> str:
    """IoU in percent, one line a row: mean over seeds of each class, then its standard deviation; empty for a class that never occurs."""
    names = summary.class_names
    nothing = [None] * len(names)
    lines = [(row.label, *(row.per_class or nothing), *(row.per_class_sd or nothing), summary.conditions.watermark) for row in summary.rows]
    return csv_lines(("row", *names, *(f"{name}_sd" for name in names), "watermark"), lines)


def to_markdown(summary: Summary) -> str:
    """A line of conditions, then for GitHub the table and the second table, each with its legend."""
    heads = ("Row", *(column for column, _ in summary.table.ticks), *_HEADS)
    lines = [f"**{markdown_text(summary.table.title)}** · {markdown_text(made_how(summary))}", ""]
    if summary.conditions.watermark:
        lines += [f"> **{markdown_text(summary.conditions.watermark)}**", ""]
    lines += [pipes(heads), "|---|" + ":-:|" * len(summary.table.ticks) + "--:|" * (len(_HEADS) - 1) + "---|"]
    for row in summary.rows:
        ticks = ["✓" if tick else "" for tick in row.ticks]
        lines.append(pipes([row.shown, *ticks, *_texts(row), row.state]))
    lines += ["", *map(markdown_text, _legend(summary))]
    if second := columns(summary):
        lines += ["", pipes(["Row", *(column.head for column in second)]), "|---|" + "--:|" * len(second)]
        lines += [pipes([row.shown, *(column.text(row) for column in second)]) for row in summary.rows]
        lines += ["", *(f"- {markdown_text(line)}" for line in legend(summary, second))]
    return "\n".join(lines) + "\n"


def to_latex(summary: Summary) -> str:
    """A `table` environment, and a second one for what stands beside the mIoU; the preamble needs booktabs, amssymb and graphicx."""
    return _first_latex(summary) + (_second_latex(summary) if columns(summary) else "")


def _first_latex(summary: Summary) -> str:
    ticks = [latex_text(column) for column, _ in summary.table.ticks]
    first = 3 + len(ticks)
    rules = f"\\cmidrule(lr){{{first}-{first + 3}}}\\cmidrule(lr){{{first + 4}-{first + 6}}}"
    reference = latex_text(summary.table.reference)
    return "\n".join(
        [
            r"% Needs \usepackage{booktabs,amssymb,graphicx}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex_text(summary.table.title)}. {' '.join(map(latex_text, (made_how(summary) + '.', *_legend(summary))))}}}",
            rf"\label{{tab:{latex_label(summary)}}}",
            r"\resizebox{\linewidth}{!}{%",
            rf"\begin{{tabular}}{{l{'c' * len(ticks)}rrrrrrrrrl}}",
            r"\toprule",
            " & " * (1 + len(ticks)) + r"Published & \multicolumn{4}{c}{Measured} &",
            rf"\multicolumn{{3}}{{c}}{{Difference to {reference}}} & & \\",
            rules,
            " & ".join(["Row", *ticks, "mIoU", "mIoU", r"95\,\% interval", "sd", "seeds", "points", r"95\,\% interval", "$p$ (Holm)"])
            + r" & params (M) & state \\",
            r"\midrule",
            *(_latex_row(row) for row in summary.rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def _second_latex(summary: Summary) -> str:
    second = columns(summary)
    caption = " ".join(map(latex_text, (f"{summary.table.title}, beside the mIoU.", made_how(summary) + ".", *legend(summary, second))))
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{tab:{latex_label(summary)}-beside}}",
            r"\resizebox{\linewidth}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * len(second)}}}",
            r"\toprule",
            " & ".join(["Row", *(latex_text(column.head) for column in second)]) + r" \\",
            r"\midrule",
            *(" & ".join(map(latex_text, (row.shown, *(column.text(row) for column in second)))) + r" \\" for row in summary.rows),
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
            "",
        ]
    )


def latex_label(summary: Summary) -> str:
    """The table's name in a label of LaTeX."""
    return "".join(c for c in summary.table.name if c.isalnum() or c == "-")


_HEADS = (
    "published mIoU", "measured mIoU", "95 % interval", "sd", "seeds",
    "difference", "95 % interval of it", "p (Holm)", "params (M)", "state",
)  # fmt: skip


def row_values(summary: Summary, row: RowSummary) -> dict[str, Cell]:
    """One line of the CSV, by column: mIoU, IoU and differences in percent, None for what is not known."""
    own, gap = row.interval, row.difference.interval if row.difference else None
    return {
        "row": row.label,
        **{column: int(tick) for (column, _), tick in zip(summary.table.ticks, row.ticks, strict=True)},
        "published_miou": row.published,
        "measured_miou": own and own.mean,
        "sd": own and own.sd,
        "ci_low": own and own.low,
        "ci_high": own and own.high,
        "seeds": len(row.measured),
        "difference": gap and gap.mean,
        "diff_low": gap and gap.low,
        "diff_high": gap and gap.high,
        "p_holm": row.p_holm,
        **{name: value for column in columns(summary) for name, value in column.values(row).items()},
        "params": row.params,
        "state": row.state,
        "data": summary.conditions.data,
        "preset": summary.conditions.preset,
        "conditions": summary.conditions.key,
        "watermark": summary.conditions.watermark,
    }


def _texts(row: RowSummary) -> list[str]:
    """The cells from the published number to the parameters, as text."""
    own, gap = row.interval, row.difference.interval if row.difference else None
    return [
        number(row.published, 1),
        number(own and own.mean),
        span(own),
        number(own and own.sd),
        str(len(row.measured)),
        number(gap and gap.mean, signed=True),
        span(gap, signed=True),
        p_value(row.p_holm) + row.stars,
        millions(row.params),
    ]


def _legend(summary: Summary) -> tuple[str, ...]:
    lines = [
        f"Published: {summary.table.source}. Measured: mean mIoU in percent over seeds, Student-t intervals.",
        f"Difference: row minus {summary.table.reference}, measured, paired by seed; p exact by sign flips, adjusted by Holm.",
    ]
    if summary.control:
        lines.append(f"Best constant prediction ({summary.control.class_name} everywhere): {number(summary.control.miou)}.")
    return tuple(lines)


def _cell(value: Cell) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else csv_text(value) if isinstance(value, str) else str(value)


def csv_lines(heads: Iterable[str], lines: Iterable[Iterable[Cell]]) -> str:
    """Heads and lines of plain values as CSV: an empty cell for None and NaN."""
    return csv_document([map(csv_text, heads), *(map(_cell, line) for line in lines)])


def _latex_row(row: RowSummary) -> str:
    ticks = [r"\checkmark" if tick else "" for tick in row.ticks]
    return " & ".join([latex_text(row.shown), *ticks, *map(latex_text, _texts(row)), latex_text(row.state)]) + r" \\"
