"""Table of variants of one system as values, Markdown and LaTeX.

Published and measured numbers never share a column.
"""

from msaf_bench.findings.digits import mean, millions, number, p_value, span
from msaf_bench.findings.power import Power
from msaf_bench.findings.subjects import NOT_LIVE, RowSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.report.provenance import made_and_noted, simultaneous
from msaf_bench.report.tables.columns import Value, bounds
from msaf_bench.report.tables.latex import (
    ENDS,
    environment,
    latex_controls,
    latex_label,
    latex_pulse,
    latex_text,
    tabular,
)
from msaf_bench.report.tables.markdown import (
    bullets,
    markdown_controls,
    markdown_effects,
    markdown_head,
    markdown_pulse,
    markdown_second,
    markdown_text,
    markdown_tuning,
    markdown_validation,
    pipes,
)
from msaf_bench.report.tables.values import column_values, made_values, measured_values
from msaf_bench.report.view import View

HEADS = (
    "published mIoU", "measured mIoU", "95 % interval", "sd", "seeds",
    "difference", "95 % interval of it", "p", "params (M)", "state",
)  # fmt: skip
#: LaTeX heads from the published number to the p value
LATEX_HEADS = (
    "mIoU", "mIoU", r"95\,\% interval", "sd", "seeds", "points", r"95\,\% interval", "$p$",
)  # fmt: skip


def row_names(row: RowSummary) -> dict[str, Value]:
    """Return the columns of a CSV that name a row."""
    return {"row": row.label}


def row_values(view: View, row: RowSummary) -> dict[str, Value]:
    """Return one line of the CSV by column; mIoU in percent, unknown values are None.

    A ticked part with the name of another column is called "NAME (part)".
    """
    gap = row.difference.interval if row.difference else None
    names = row_names(row)
    values: dict[str, Value] = {
        "published_miou": row.published,
        **measured_values(row),
        "difference": gap.mean if gap else None,
        **bounds(gap, "diff_low", "diff_high"),
        "p": row.difference.p if row.difference else None,
        **column_values(view.columns, row),
        **made_values(view.summary, row),
    }
    taken = {*names, *values}
    ticks: dict[str, Value] = {
        f"{column} (part)" if column in taken else column: int(tick)
        for (column, _), tick in zip(view.summary.table.ticks, row.ticks, strict=True)
    }
    return {**names, **ticks, **values}


def texts(row: RowSummary) -> list[str]:
    """Return the cells from the published number to the parameters as text."""
    own, gap = row.interval, row.difference.interval if row.difference else None
    return [
        number(row.published, 1),
        mean(own),
        span(own),
        number(own.sd if own else None),
        str(len(row.measured)),
        gap_text(row),
        span(gap, signed=True),
        p_value(row.difference.p if row.difference else None),
        millions(row.params),
    ]


def gap_text(row: RowSummary) -> str:
    """Return the difference to the reference row, marked if it is not comparable."""
    gap = mean(row.difference.interval if row.difference else None, signed=True)
    return f"{gap} {NOT_LIVE}" if row.against else gap


def power_line(power: Power | None) -> str:
    """Return a sentence on the smallest detectable difference; empty below two paired seeds."""
    if power is None:
        return ""
    return (
        f"Power: at the spread of this run, {power.seeds} seeds detect a difference of"
        f" {number(power.detectable)} points 80 % of the time."
    )


def first_legend(view: View) -> tuple[str, ...]:
    """Return the legend of the table."""
    table, constant = view.summary.table, view.summary.constant
    lines = [
        (
            f"Published: {table.source}. Measured: mean mIoU in percent over seeds,"
            " Student-t intervals."
        ),
        (
            f"Difference: row minus {table.reference}, measured, paired by seed;"
            f" {simultaneous(view.summary)}."
        ),
    ]
    if view.power:
        lines.append(power_line(view.power))
    if constant:
        lines.append(
            f"Best constant prediction ({constant.class_name} everywhere): {number(constant.miou)}."
        )
    return tuple(lines)


def to_markdown(view: View) -> str:
    """Return the report as GitHub Markdown: answers, table, controls, second table and pulse."""
    summary = view.summary
    ticks = [column for column, _ in summary.table.ticks]
    lines = [
        *markdown_head(view),
        pipes(("Row", *ticks, *HEADS)),
        "|---|" + ":-:|" * len(ticks) + "--:|" * (len(HEADS) - 1) + "---|",
        *(pipes(_cells(row, "✓")) for row in summary.rows),
        "",
        *map(markdown_text, first_legend(view)),
        *markdown_effects(view),
        *markdown_controls(view),
        *markdown_second(view, summary.subjects),
    ]
    if view.second:
        lines += bullets(view.legend)
    return (
        "\n".join(
            [*lines, *markdown_tuning(view), *markdown_validation(view), *markdown_pulse(view)]
        )
        + "\n"
    )


def _cells(row: RowSummary, tick: str) -> list[str]:
    marks = [tick if filled else "" for filled in row.ticks]
    return [row.shown, *marks, *texts(row), row.standing]


def to_latex(view: View) -> str:
    """Return `table` environments of rows, controls, second table and pulse.

    The preamble needs booktabs, amssymb and graphicx.
    """
    return "% Needs \\usepackage{booktabs,amssymb,graphicx}\n" + "".join(
        [_first(view), latex_controls(view), _second(view), latex_pulse(view)]
    )


def _first(view: View) -> str:
    summary = view.summary
    caption = (
        f"{summary.table.title}. {made_and_noted(view.made_how, summary)} {view.motion.sentence}"
        f" {' '.join(first_legend(view))}"
    )
    body = [*_latex_heads(summary), r"\midrule", *map(_latex_row, summary.rows), *ENDS]
    return environment(caption, latex_label(summary), body)


def _latex_heads(summary: Summary) -> list[str]:
    ticks = [latex_text(column) for column, _ in summary.table.ticks]
    first = 3 + len(ticks)
    return [
        rf"\begin{{tabular}}{{l{'c' * len(ticks)}rrrrrrrrrl}}",
        r"\toprule",
        " & " * (1 + len(ticks)) + r"Published & \multicolumn{4}{c}{Measured} &",
        rf"\multicolumn{{3}}{{c}}{{Difference to {latex_text(summary.table.reference)}}} & & \\",
        f"\\cmidrule(lr){{{first}-{first + 3}}}\\cmidrule(lr){{{first + 4}-{first + 6}}}",
        " & ".join(["Row", *ticks, *LATEX_HEADS]) + r" & params (M) & state \\",
    ]


def _latex_row(row: RowSummary) -> str:
    ticks = [r"\checkmark" if tick else "" for tick in row.ticks]
    cells = [latex_text(row.shown), *ticks, *map(latex_text, [*texts(row), row.standing])]
    return " & ".join(cells) + r" \\"


def _second(view: View) -> str:
    if not view.second:
        return ""
    summary = view.summary
    lines = [
        [(subject.shown, *(column.text(subject) for column in view.second)) for subject in part]
        for part in (summary.rows, summary.controls)
    ]
    made = made_and_noted(view.made_how, summary)
    caption = " ".join((f"{summary.table.title}, further measurements.", made, *view.legend))
    heads = ["Row", *(column.head for column in view.second)]
    return environment(caption, f"{latex_label(summary)}-beside", tabular(heads, *lines))
