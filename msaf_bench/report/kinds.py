"""The two kinds of table, variants and whole systems, and the view of a summary."""

from msaf_bench.claims.verdicts import claims_of
from msaf_bench.findings.answers import answers_of
from msaf_bench.findings.power import power_of
from msaf_bench.findings.rankings import rankings
from msaf_bench.findings.summary import Summary
from msaf_bench.findings.systems import compares_systems, entries
from msaf_bench.findings.tradeoffs import tradeoffs
from msaf_bench.report import console
from msaf_bench.report.figures import charts
from msaf_bench.report.page import page
from msaf_bench.report.provenance import made_how
from msaf_bench.report.tables import systems, variants
from msaf_bench.report.tables.columns import columns, legend
from msaf_bench.report.tables.groups import groups, second_columns
from msaf_bench.report.tables.legend import systems_legend
from msaf_bench.report.tables.pulse import pulse_table
from msaf_bench.report.tables.tuning import tuning_table
from msaf_bench.report.tables.validation import validation_table
from msaf_bench.report.view import Kind, View

VARIANTS = Kind(
    row_names=variants.row_names,
    row_values=variants.row_values,
    csv_files=lambda view: {},
    markdown=variants.to_markdown,
    latex=variants.to_latex,
    document=lambda view: {},
    charts=charts.variant_charts,
    console=console.print_variants,
    template="variants.html.j2",
    page=lambda view: {},
)
SYSTEMS = Kind(
    row_names=systems.row_names,
    row_values=systems.row_values,
    csv_files=systems.csv_files,
    markdown=systems.to_markdown,
    latex=systems.to_latex,
    document=systems.document,
    charts=charts.system_charts,
    console=console.print_systems,
    template="systems.html.j2",
    page=page.systems_page,
)


def view_of(summary: Summary) -> View:
    """Return the view of a summary, with everything that a report needs."""
    whole = compares_systems(summary.table)
    found, power = tuple(columns(summary)), power_of(summary)
    everyone = entries(summary) if whole else ()
    ranked, traded = rankings(everyone), tradeoffs(everyone)
    second = second_columns(summary, found) if whole else found
    return View(
        summary=summary,
        kind=SYSTEMS if whole else VARIANTS,
        made_how=made_how(summary),
        answers=answers_of(summary, power, ranked, traded),
        power=power,
        claims=claims_of(summary),
        pulse=pulse_table(summary),
        validation=validation_table(summary),
        tuning=tuning_table(summary.tuning),
        columns=found,
        second=second,
        legend=(
            systems_legend(summary, everyone, second) if whole else tuple(legend(summary, found))
        ),
        entries=everyone,
        groups=groups(summary, everyone) if whole else (),
        rankings=ranked,
        tradeoffs=traded,
    )
