"""Page of a table with an axis."""

from collections.abc import Sequence

from msaf_bench.findings.study import Study
from msaf_bench.report.figures.canvas import Drawn
from msaf_bench.report.page.inline import inline_figures
from msaf_bench.report.page.page import conditions_lines
from msaf_bench.report.page.templates import environment
from msaf_bench.report.provenance import made_how
from msaf_bench.report.tables.curves import amount, legend


def study_html(study: Study, figures: Sequence[Drawn]) -> str:
    """Return the study as an HTML page."""
    measured = next((s for s in study.summaries if s.measured), study.summaries[0])
    template = environment().get_template("study.html.j2")
    return template.render(
        s=measured,
        study=study,
        table=study.plan.table,
        c=study.plan.conditions,
        made_how=made_how(measured),
        charts=inline_figures(figures),
        legend=legend(study),
        answers=[(along.axis, along.curves) for along in study.axes],
        amount=amount,
        settings=conditions_lines(study.plan.conditions),
    )
