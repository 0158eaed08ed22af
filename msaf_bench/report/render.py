"""Write a summary to disk: CSV, JSON, Markdown, LaTeX, one HTML page, and the figures as SVG and
PNG.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from msaf_bench.documents import json_text
from msaf_bench.files import write_atomic
from msaf_bench.findings.summary import Summary
from msaf_bench.inputs import file_name
from msaf_bench.report import latex, systems_table, tables
from msaf_bench.report.backend import UndrawnError, drawn_or_why
from msaf_bench.report.canvas import Chart, to_bytes
from msaf_bench.report.claims import claims_of
from msaf_bench.report.claims_text import claims_to_csv, claims_to_markdown
from msaf_bench.report.document import to_json
from msaf_bench.report.figures import charts
from msaf_bench.report.page import to_html
from msaf_bench.report.second_figure import beside
from msaf_bench.report.strip import Strip, draw
from msaf_bench.report.tradeoff_figure import tradeoff_charts


class Drawn(NamedTuple):
    """A chart in both formats."""

    chart: Chart
    svg: bytes
    png: bytes


def render(summary: Summary, folder: Path, *, strip: Strip | None = None) -> list[Path]:
    """The paths written under `folder`: `<table>.csv`, `.json`, `.md`, `.tex`, `.html`,
    `<table>_per_class.csv`, `<table>_claims.csv|md`, `figures/<table>_*.svg|png`; of whole systems
    also `<table>_agreement.csv`.

    Each file is replaced as a whole, and equal summaries give equal bytes. Raises `HostError` where
    the folder cannot be written, `UndrawnError` where everything but the figures is.
    """
    name = file_name(summary.table.name)
    systems = not summary.table.base
    made = systems_table if systems else tables
    to_latex = systems_table.to_latex if systems else latex.to_latex
    drawn, undrawn = drawn_or_why(lambda: _drawn(summary, strip), [])
    if undrawn:
        summary = replace(summary, notes=(*summary.notes, f"There are no figures: {undrawn}."))
    figures = {one.chart.name: one.svg for one in drawn}
    claims = claims_of(summary)
    files: dict[str, str | bytes] = {
        f"{name}.csv": made.to_csv(summary),
        f"{name}.json": json_text(to_json(summary)),
        f"{name}_per_class.csv": made.to_per_class_csv(summary),
        f"{name}.md": made.to_markdown(summary),
        f"{name}.tex": to_latex(summary),
        **({f"{name}_agreement.csv": systems_table.to_rankings_csv(summary)} if systems else {}),
        f"{name}.html": to_html(summary, [one.chart for one in drawn], figures, claims),
        **({f"{name}_claims.csv": claims_to_csv(summary, claims)} if claims else {}),
        **({f"{name}_claims.md": claims_to_markdown(summary, claims)} if claims else {}),
        **{f"figures/{name}_{chart}.svg": svg for chart, svg in figures.items()},
        **{f"figures/{name}_{one.chart.name}.png": one.png for one in drawn},
    }
    for path, content in files.items():
        write_atomic(folder / path, content)
    # a figure that is no longer made, such as pictures that were turned off
    for kind in ("svg", "png"):
        for old in (folder / "figures").glob(f"{name}_*.{kind}"):
            if f"figures/{old.name}" not in files:
                old.unlink()
    paths = [folder / path for path in files]
    if undrawn:
        raise UndrawnError(undrawn, paths)
    return paths


def _drawn(summary: Summary, strip: Strip | None) -> list[Drawn]:
    made = [
        *(tradeoff_charts(summary) if not summary.table.base else []),
        *charts(summary),
        *filter(None, [beside(summary)]),
    ]
    made += [draw(strip, summary)] if strip else []
    return [
        Drawn(chart, to_bytes(chart.figure, "svg"), to_bytes(chart.figure, "png")) for chart in made
    ]
