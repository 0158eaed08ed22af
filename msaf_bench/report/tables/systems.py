"""Table of whole systems as values, Markdown and LaTeX."""

from dataclasses import asdict

from msaf_bench.findings.subjects import RowSummary
from msaf_bench.findings.systems import Entry, blocks
from msaf_bench.report.provenance import made_and_noted
from msaf_bench.report.tables.columns import Value
from msaf_bench.report.tables.latex import (
    ENDS,
    environment,
    latex_controls,
    latex_label,
    latex_line,
    latex_pulse,
    latex_text,
    tabular,
)
from msaf_bench.report.tables.markdown import (
    bullets,
    markdown_controls,
    markdown_head,
    markdown_pulse,
    markdown_second,
    markdown_text,
    markdown_tuning,
    markdown_validation,
    pipes,
)
from msaf_bench.report.tables.rankings import (
    RANKING,
    ranking_legend,
    ranking_texts,
    to_rankings_csv,
)
from msaf_bench.report.tables.values import column_values, made_values, measured_values
from msaf_bench.report.view import View


def row_names(row: RowSummary) -> dict[str, Value]:
    """Return the columns of a CSV that name a row: label, and note on the style of its source."""
    return {"row": row.label, "in_style_of_source": row.system.style if row.system else ""}


def row_values(view: View, row: RowSummary) -> dict[str, Value]:
    """Return one line of the CSV by column; unknown values are None."""
    entry = next(entry for entry in view.entries if entry.found is row)
    grouped: dict[str, Value] = {}
    for group in view.groups:
        for column in group.columns:
            grouped |= column.values(entry)
    return {
        "row": row.label,
        "model": dict(view.summary.table.rows)[row.label].model,
        "backbone": entry.backbone,
        "block": entry.block,
        "in_style_of_source": entry.style,
        **grouped,
        **measured_values(row),
        **_fronts(view, row),
        "published_daggers": " ".join(sorted(entry.daggers)),
        **_cost_values(entry),
        **column_values(view.second, row),
        **made_values(view.summary, row),
    }


def _fronts(view: View, row: RowSummary) -> dict[str, Value]:
    """Return whether the row is on the front of each trade-off; None without a point."""
    return {
        f"front_{tradeoff.name}": next(
            (int(point.front) for point in tradeoff.measured if point.entry.found is row), None
        )
        for tradeoff in view.tradeoffs
    }


def _cost_values(entry: Entry) -> dict[str, Value]:
    """Return frame size, uncounted operations, and MACs of the key frame and of the other frames.

    The MACs are None for a cycle of one frame.
    """
    cost = entry.cost
    macs = cost.stream if cost else ()
    apart = len(macs) > 1
    return {
        "published_size": f"{cost.size[0]}x{cost.size[1]}" if cost else None,
        "uncounted": "; ".join(cost.uncounted) if cost else None,
        "published_macs_key": macs[0] if apart else None,
        "published_macs_other": sum(macs[1:]) / (len(macs) - 1) if apart else None,
    }


def csv_files(view: View) -> dict[str, str]:
    """Return the CSVs that only whole systems have, by the suffix of their name."""
    return {"agreement": to_rankings_csv(view)}


def document(view: View) -> dict[str, object]:
    """Return the keys of the JSON that only whole systems have."""
    return {"rank_agreement": [asdict(ranking) for ranking in view.rankings]}


def to_markdown(view: View) -> str:
    """Return the report as GitHub Markdown: answers, tables, legend and rank agreement."""
    lines = [
        *markdown_head(view),
        *_markdown_table(view),
        *markdown_second(view, view.summary.measured),
        *bullets(view.legend),
        *markdown_controls(view),
        *_markdown_rankings(view),
        *markdown_tuning(view),
        *markdown_validation(view),
        *markdown_pulse(view),
    ]
    return "\n".join(lines) + "\n"


def _markdown_table(view: View) -> list[str]:
    heads = [f"{group.kind}: {column.head}" for group in view.groups for column in group.columns]
    lines = [pipes(["System", "Backbone", *heads]), "|---|---|" + "--:|" * len(heads)]
    for block, members in blocks(view.entries):
        if block:
            lines.append(f"| **{markdown_text(block)}** |" + " |" * (1 + len(heads)))
        lines += [pipes(_cells(view, entry)) for entry in members]
    return lines


def _markdown_rankings(view: View) -> list[str]:
    if not view.rankings:
        return []
    return [
        "",
        "**Rank agreement with the paper**",
        "",
        pipes(RANKING),
        "|---|---|---|--:|--:|--:|--:|---|",
        *(pipes(ranking_texts(ranking)) for ranking in view.rankings),
        *bullets(ranking_legend(view.rankings)),
    ]


def _cells(view: View, entry: Entry) -> list[str]:
    cells = [column.text(entry) for group in view.groups for column in group.columns]
    return [entry.name, entry.backbone, *cells]


def to_latex(view: View) -> str:
    """Return `table` environments of systems, controls, second table, rank agreement and pulse.

    The preamble needs booktabs and graphicx.
    """
    parts = [
        "% Needs \\usepackage{booktabs,graphicx}\n",
        _latex_table(view),
        latex_controls(view),
        _latex_second(view),
        _latex_rankings(view),
        latex_pulse(view),
    ]
    return "".join(parts)


def _latex_table(view: View) -> str:
    summary = view.summary
    made = made_and_noted(view.made_how, summary)
    caption = f"{summary.table.title}. {made} {view.motion.sentence} {' '.join(view.legend)}"
    return environment(caption, latex_label(summary), _latex_body(view))


def _latex_second(view: View) -> str:
    if not view.second:
        return ""
    summary = view.summary
    made = made_and_noted(view.made_how, summary)
    lines = [(row.shown, *(column.text(row) for column in view.second)) for row in summary.measured]
    return environment(
        f"{summary.table.title}, further measurements. {made}",
        f"{latex_label(summary)}-beside",
        tabular(["Row", *(column.head for column in view.second)], lines),
    )


def _latex_rankings(view: View) -> str:
    if not view.rankings:
        return ""
    summary = view.summary
    made, said = made_and_noted(view.made_how, summary), " ".join(ranking_legend(view.rankings))
    return environment(
        f"{summary.table.title}, rank agreement with the paper. {made} {said}",
        f"{latex_label(summary)}-agreement",
        tabular(RANKING, [ranking_texts(ranking) for ranking in view.rankings]),
    )


def _latex_body(view: View) -> list[str]:
    heads = [column.head for group in view.groups for column in group.columns]
    spans, rules, at = list[str](), list[str](), 3
    for group in view.groups:
        size = len(group.columns)
        spans.append(rf"\multicolumn{{{size}}}{{c}}{{{latex_text(group.head)}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{at + size - 1}}}")
        at += size
    lines = [
        rf"\begin{{tabular}}{{ll{'r' * len(heads)}}}",
        r"\toprule",
        " & & " + " & ".join(spans) + r" \\",
        "".join(rules),
        latex_line(["System", "Backbone", *heads]),
    ]
    for block, members in blocks(view.entries):
        lines.append(r"\midrule")
        if block:
            width = 2 + len(heads)
            lines.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{latex_text(block)}}}}} \\")
        lines += [latex_line(_cells(view, entry)) for entry in members]
    return [*lines, *ENDS]
