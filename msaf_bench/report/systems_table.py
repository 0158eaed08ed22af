"""A table of whole systems as CSV, Markdown and LaTeX: the same functions as of `tables`, for
tables without a base.
"""

from collections.abc import Sequence

from msaf_bench.findings.subjects import RowSummary
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import Entry, blocks, entries
from msaf_bench.findings.tradeoffs import tradeoffs
from msaf_bench.report import rankings as ranked
from msaf_bench.report.cells import (
    latex_text,
    made_and_noted,
    markdown_text,
    number,
    p_value,
    pipes,
)
from msaf_bench.report.latex import (
    ENDS,
    environment,
    latex_controls,
    latex_label,
    latex_line,
    latex_pulse,
    tabular,
)
from msaf_bench.report.motion import motion_of
from msaf_bench.report.plain_values import Cell, made_values, measured_values, said_values
from msaf_bench.report.rankings import Ranking, rankings
from msaf_bench.report.systems_columns import Group, beside, groups
from msaf_bench.report.systems_legend import systems_legend
from msaf_bench.report.tables import (
    csv_lines,
    csv_with_controls,
    markdown_controls,
    markdown_head,
    markdown_pulse,
)

RANKING = ("Ours", "The paper's", "Rows", "n", "tau-b", "95 % interval", "p", "Verdict")


def to_csv(summary: Summary) -> str:
    """One line per row, then per control: plain numbers (mIoU in percent), an empty cell where
    unknown, conditions on every line.
    """
    return csv_with_controls([row_values(summary, row) for row in summary.rows], summary)


def to_per_class_csv(summary: Summary) -> str:
    """IoU in percent, one line a row: mean over seeds of each class, then its standard deviation;
    empty for a class that never occurs.
    """
    names = summary.class_names
    nothing = [None] * len(names)
    said = said_values(summary)
    lines = [
        (
            e.found.label,
            e.style,
            *(e.found.per_class or nothing),
            *(e.found.per_class_sd or nothing),
            *said.values(),
        )
        for e in entries(summary)
    ]
    return csv_lines(
        ("row", "in_style_of_source", *names, *(f"{name}_sd" for name in names), *said), lines
    )


def to_rankings_csv(summary: Summary) -> str:
    """One line a rank agreement."""
    lines = [
        (r.ours, r.paper, r.rows, f.rows, f.tau, f.low, f.high, f.p, r.verdict)
        for r in rankings(summary)
        for f in [r.found]
    ]
    said = said_values(summary)
    heads = ("ours", "paper", "rows", "n", "tau_b", "low", "high", "p", "verdict", *said)
    return csv_lines(heads, [(*line, *said.values()) for line in lines])


def row_values(summary: Summary, row: RowSummary) -> dict[str, Cell]:
    """One line of the CSV, by column; None for what is not known."""
    entry = next(entry for entry in entries(summary) if entry.found is row)
    cost = entry.cost
    fronts = {
        f"front_{t.name}": next((int(p.front) for p in t.measured if p.entry.found is row), None)
        for t in tradeoffs(summary)
    }
    return {
        "row": row.label,
        "model": dict(summary.table.rows)[row.label].model,
        "backbone": entry.backbone,
        "block": entry.block,
        "in_style_of_source": entry.style,
        **{
            name: value
            for group in groups(summary)
            for column in group.columns
            for name, value in column.values(entry).items()
        },
        **measured_values(row),
        **fronts,
        "published_daggers": " ".join(sorted(entry.daggers)),
        **(
            {
                "published_size": f"{cost.size[0]}x{cost.size[1]}",
                "uncounted": "; ".join(cost.uncounted),
            }
            if cost
            else _NO_COST
        ),
        **{f"published_macs_{name}": value for name, value in _phases(entry).items()},
        **{name: value for column in beside(summary) for name, value in column.values(row).items()},
        **made_values(summary, row),
    }


_NO_COST: dict[str, Cell] = {"published_size": None, "uncounted": None}


def _phases(entry: Entry) -> dict[str, Cell]:
    """MACs of the stream's key frame and the mean of the others, where they are counted and
    differ.
    """
    macs = entry.cost.stream if entry.cost else ()
    apart = len(macs) > 1
    return {
        "key": macs[0] if apart else None,
        "other": sum(macs[1:]) / (len(macs) - 1) if apart else None,
    }


def ranking_texts(ranking: Ranking) -> tuple[str, ...]:
    """The cells of a rank agreement, under `RANKING`."""
    f = ranking.found
    bounds = f"{number(f.low)} to {number(f.high)}" if f.low is not None else number(None)
    return (
        ranking.ours,
        ranking.paper,
        ranking.rows,
        str(f.rows),
        number(f.tau),
        bounds,
        p_value(f.p),
        ranking.verdict,
    )


def to_markdown(summary: Summary) -> str:
    """A line of conditions, then for GitHub the table by blocks, what else was measured, the
    legend, and the rank agreement.
    """
    found, second, shown = groups(summary), beside(summary), rankings(summary)
    lines = markdown_head(summary)
    heads = [f"{group.kind}: {column.head}" for group in found for column in group.columns]
    lines += [pipes(["System", "Backbone", *heads]), "|---|---|" + "--:|" * len(heads)]
    for block, members in blocks(entries(summary)):
        lines += [f"| **{markdown_text(block)}** |" + " |" * (1 + len(heads))] if block else []
        lines += [pipes(_cells(entry, found)) for entry in members]
    if second:
        lines += [
            "",
            pipes(["Row", *(column.head for column in second)]),
            "|---|" + "--:|" * len(second),
        ]
        lines += [
            pipes([row.shown, *(column.text(row) for column in second)]) for row in summary.measured
        ]
    lines += [
        "",
        *(f"- {markdown_text(line)}" for line in systems_legend(summary)),
        *markdown_controls(summary),
    ]
    if shown:
        lines += [
            "",
            "**Rank agreement with the paper**",
            "",
            pipes(RANKING),
            "|---|---|---|--:|--:|--:|--:|---|",
        ]
        lines += [*(pipes(ranking_texts(ranking)) for ranking in shown), ""]
        lines += [f"- {markdown_text(line)}" for line in ranked.legend(shown)]
    return "\n".join([*lines, *markdown_pulse(summary)]) + "\n"


def _cells(entry: Entry, found: Sequence[Group]) -> list[str]:
    return [
        entry.name,
        entry.backbone,
        *(column.text(entry) for group in found for column in group.columns),
    ]


def to_latex(summary: Summary) -> str:
    """`table` environments: the systems, what else was measured, the rank agreement; the preamble
    needs booktabs and graphicx.
    """
    title, made = summary.table.title, made_and_noted(summary)
    second, shown, label = beside(summary), rankings(summary), latex_label(summary)
    said = systems_legend(summary)
    caption = f"{title}. {made} {motion_of(summary).sentence} {' '.join(said)}"
    parts = [environment(caption, label, _systems_body(summary)), latex_controls(summary)]
    if second:
        head = ["Row", *(column.head for column in second)]
        lines = [(row.shown, *(column.text(row) for column in second)) for row in summary.measured]
        parts.append(
            environment(
                f"{title}, what else was measured. {made}", f"{label}-beside", tabular(head, lines)
            )
        )
    if shown:
        caption = f"{title}, rank agreement with the paper. {made} {' '.join(ranked.legend(shown))}"
        parts.append(
            environment(
                caption,
                f"{label}-agreement",
                tabular(RANKING, [ranking_texts(ranking) for ranking in shown]),
            )
        )
    return "% Needs \\usepackage{booktabs,graphicx}\n" + "".join([*parts, latex_pulse(summary)])


def _systems_body(summary: Summary) -> list[str]:
    found = groups(summary)
    heads = [column.head for group in found for column in group.columns]
    spans, rules, at = list[str](), list[str](), 3
    for group in found:
        size = len(group.columns)
        spans.append(rf"\multicolumn{{{size}}}{{c}}{{{latex_text(group.head)}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{at + size - 1}}}")
        at += size
    lines = [
        rf"\begin{{tabular}}{{ll{'r' * len(heads)}}}",
        r"\toprule",
        " & & " + " & ".join(spans) + r" \\",
        "".join(rules),
    ]
    lines.append(latex_line(["System", "Backbone", *heads]))
    for block, members in blocks(entries(summary)):
        lines.append(r"\midrule")
        lines += (
            [rf"\multicolumn{{{2 + len(heads)}}}{{l}}{{\textit{{{latex_text(block)}}}}} \\"]
            if block
            else []
        )
        lines += [latex_line(_cells(entry, found)) for entry in members]
    return [*lines, *ENDS]
