"""Write a summary to disk: CSV, JSON, Markdown, LaTeX, one HTML page, and the figures as SVG and PNG."""

from pathlib import Path

from msaf_bench.documents import json_text
from msaf_bench.kept import write_atomic
from msaf_bench.report import latex, systems_table, tables
from msaf_bench.report.canvas import to_bytes
from msaf_bench.report.claims import claims_of
from msaf_bench.report.claims_text import claims_to_csv, claims_to_markdown
from msaf_bench.report.document import to_json
from msaf_bench.report.figures import charts
from msaf_bench.report.findings import Summary
from msaf_bench.report.page import to_html
from msaf_bench.report.second_figure import beside
from msaf_bench.report.strip import Strip, draw
from msaf_bench.report.tradeoff_figure import tradeoff_charts
from msaf_bench.sweep.plan import file_name


def render(summary: Summary, folder: Path, *, strip: Strip | None = None) -> list[Path]:
    """The paths written under `folder`: `<table>.csv`, `.json`, `.md`, `.tex`, `.html`, `<table>_per_class.csv`, `<table>_claims.csv|md`,
    `figures/<table>_*.svg|png`; of whole systems also `<table>_agreement.csv`.

    Each file is replaced as a whole, and equal summaries give equal bytes. Raises `HostError` where the folder cannot be written.
    """
    name = file_name(summary.table.name)
    systems = not summary.table.base
    made = systems_table if systems else tables
    to_latex = systems_table.to_latex if systems else latex.to_latex
    drawn = [*(tradeoff_charts(summary) if systems else []), *charts(summary), *filter(None, [beside(summary)])]
    drawn += [draw(strip, summary)] if strip else []
    figures = {chart.name: to_bytes(chart.figure, "svg") for chart in drawn}
    claims = claims_of(summary)
    files: dict[str, str | bytes] = {
        f"{name}.csv": made.to_csv(summary),
        f"{name}.json": json_text(to_json(summary)),
        f"{name}_per_class.csv": made.to_per_class_csv(summary),
        f"{name}.md": made.to_markdown(summary),
        f"{name}.tex": to_latex(summary),
        **({f"{name}_agreement.csv": systems_table.to_rankings_csv(summary)} if systems else {}),
        f"{name}.html": to_html(summary, drawn, figures, claims),
        **(
            {f"{name}_claims.csv": claims_to_csv(summary, claims), f"{name}_claims.md": claims_to_markdown(summary, claims)}
            if claims
            else {}
        ),
        **{f"figures/{name}_{chart}.svg": svg for chart, svg in figures.items()},
        **{f"figures/{name}_{chart.name}.png": to_bytes(chart.figure, "png") for chart in drawn},
    }
    for path, content in files.items():
        write_atomic(folder / path, content)
    for kind in ("svg", "png"):  # a figure that is no longer made, such as pictures that were turned off
        for old in (folder / "figures").glob(f"{name}_*.{kind}"):
            if f"figures/{old.name}" not in files:
                old.unlink()
    return [folder / path for path in files]
