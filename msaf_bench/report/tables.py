"""The table as CSV, Markdown and LaTeX, with the published and the measured number never in one
column.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from msaf_bench.findings.subjects import NOT_LIVE, RowSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.report.cells import (
    csv_document,
    made_how,
    markdown_text,
    mean_span,
    millions,
    number,
    p_value,
    pipes,
    simultaneous,
    span,
)
from msaf_bench.report.control_table import control_heads, control_legend, control_texts
from msaf_bench.report.motion import motion_of
from msaf_bench.report.plain_values import (
    Cell,
    control_values,
    made_values,
    measured_values,
    said_values,
)
from msaf_bench.report.power import power_line
from msaf_bench.report.pulse_table import TITLE, pulse_table
from msaf_bench.report.second_table import columns, legend


def to_csv(summary: Summary) -> str:
    """One line per row, then per control: plain numbers (mIoU in percent), an empty cell where
    unknown, conditions on every line.
    """
    return csv_with_controls([row_values(summary, row) for row in summary.rows], summary)


def csv_with_controls(lines: Sequence[Mapping[str, Cell]], summary: Summary) -> str:
    """The lines of the rows, then one per control under the same heads."""
    beside = columns(summary)
    found = [*lines, *(control_values(summary, control, beside) for control in summary.controls)]
    return csv_lines(lines[0], [[line.get(head) for head in lines[0]] for line in found])


def to_per_class_csv(summary: Summary) -> str:
    """IoU in percent, one line a row: mean over seeds of each class, then its standard deviation;
    empty for a class that never occurs.
    """
    names = summary.class_names
    nothing = [None] * len(names)
    said = said_values(summary)
    lines = [
        (row.label, *(row.per_class or nothing), *(row.per_class_sd or nothing), *said.values())
        for row in summary.rows
    ]
    return csv_lines(("row", *names, *(f"{name}_sd" for name in names), *said), lines)


def to_markdown(summary: Summary) -> str:
    """A line of conditions and one about motion, then for GitHub the table, the controls, the
    second table and the pulse of the parts.
    """
    ticks = [column for column, _ in summary.table.ticks]
    lines = [
        *markdown_head(summary),
        pipes(("Row", *ticks, *HEADS)),
        "|---|" + ":-:|" * len(ticks) + "--:|" * (len(HEADS) - 1) + "---|",
    ]
    lines += [
        pipes([row.shown, *("✓" if tick else "" for tick in row.ticks), *texts(row), row.standing])
        for row in summary.rows
    ]
    lines += ["", *map(markdown_text, first_legend(summary))]
    lines += markdown_effects(summary)
    lines += markdown_controls(summary)
    if second := columns(summary):
        lines += [
            "",
            pipes(["Row", *(column.head for column in second)]),
            "|---|" + "--:|" * len(second),
        ]
        lines += [
            pipes([row.shown, *(column.text(row) for column in second)]) for row in summary.subjects
        ]
        lines += ["", *(f"- {markdown_text(line)}" for line in legend(summary, second))]
    return "\n".join([*lines, *markdown_pulse(summary)]) + "\n"


def markdown_head(summary: Summary) -> list[str]:
    """Title, conditions, watermark, notes, and the sentence about motion."""
    lines = [f"**{markdown_text(summary.table.title)}** · {markdown_text(made_how(summary))}", ""]
    if summary.conditions.watermark:
        lines += [f"> **{markdown_text(summary.conditions.watermark)}**", ""]
    for note in summary.notes:
        lines += [f"> {markdown_text(note)}", ""]
    return [*lines, markdown_text(motion_of(summary).sentence), ""]


def markdown_controls(summary: Summary) -> list[str]:
    """The controls in a table of their own, with its legend."""
    if not summary.controls:
        return []
    heads = control_heads(summary)
    lines = [
        "",
        "**Controls**",
        "",
        pipes(heads),
        "|---|---|---|" + "--:|" * (len(heads) - 4) + "---|",
    ]
    lines += [pipes(control_texts(summary, control)) for control in summary.controls]
    return [*lines, "", *(f"- {markdown_text(line)}" for line in control_legend(summary))]


def markdown_effects(summary: Summary) -> list[str]:
    """Effects and Shapley values of a complete factorial design."""
    if not summary.effects:
        return []
    title, heads = (
        "**Effects of the parts**, in points of mIoU; their intervals hold together",
        ("Part", "effect", "Shapley value"),
    )
    shares = {share.factors: mean_span(share.interval, signed=True) for share in summary.shares}
    rows = [
        (" x ".join(e.factors), mean_span(e.interval, signed=True), shares.get(e.factors, ""))
        for e in summary.effects
    ]
    return ["", title, "", pipes(heads), "|---|--:|--:|", *map(pipes, rows)]


def markdown_pulse(summary: Summary) -> list[str]:
    """The pulse of the parts, with its legend."""
    table = pulse_table(summary)
    if table is None:
        return []
    lines = [
        "",
        f"**{TITLE}**",
        "",
        pipes(("Row", *table.parts)),
        "|---|" + "---|" * len(table.parts),
    ]
    return [
        *lines,
        *map(pipes, table.texts()),
        "",
        *(f"- {markdown_text(line)}" for line in table.legend),
    ]


HEADS = (
    "published mIoU", "measured mIoU", "95 % interval", "sd", "seeds",
    "difference", "95 % interval of it", "p", "params (M)", "state",
)  # fmt: skip


def row_values(summary: Summary, row: RowSummary) -> dict[str, Cell]:
    """One line of the CSV, by column: mIoU, IoU and differences in percent, None for what is not
    known.
    """
    gap = row.difference.interval if row.difference else None
    return {
        "row": row.label,
        **{
            column: int(tick)
            for (column, _), tick in zip(summary.table.ticks, row.ticks, strict=True)
        },
        "published_miou": row.published,
        **measured_values(row),
        "difference": gap and gap.mean,
        "diff_low": gap and gap.low,
        "diff_high": gap and gap.high,
        "p": row.difference and row.difference.p,
        **{
            name: value for column in columns(summary) for name, value in column.values(row).items()
        },
        **made_values(summary, row),
    }


def texts(row: RowSummary) -> list[str]:
    """The cells from the published number to the parameters, as text."""
    own, gap = row.interval, row.difference.interval if row.difference else None
    return [
        number(row.published, 1),
        number(own and own.mean),
        span(own),
        number(own and own.sd),
        str(len(row.measured)),
        number(gap and gap.mean, signed=True) + f" {NOT_LIVE}" * bool(row.against),
        span(gap, signed=True),
        p_value(row.difference and row.difference.p),
        millions(row.params),
    ]


def first_legend(summary: Summary) -> tuple[str, ...]:
    """How the numbers of the table were made."""
    lines = [
        (
            f"Published: {summary.table.source}. Measured: mean mIoU in percent over seeds,"
            " Student-t intervals."
        ),
        (
            f"Difference: row minus {summary.table.reference}, measured, paired by seed;"
            f" {simultaneous(summary)}."
        ),
    ]
    if line := power_line(summary):
        lines.append(line)
    if summary.constant:
        lines.append(
            f"Best constant prediction ({summary.constant.class_name} everywhere):"
            f" {number(summary.constant.miou)}."
        )
    return tuple(lines)


def _cell(value: Cell) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else value if isinstance(value, str) else str(value)


def csv_lines(heads: Iterable[str], lines: Iterable[Iterable[Cell]]) -> str:
    """Heads and lines of plain values as CSV: an empty cell for None and NaN."""
    return csv_document([heads, *(map(_cell, line) for line in lines)])
