"""`msaf-bench compare`: two runs of one table, and gates on what changed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from msaf_bench.cli.options import OUTPUT, RUN, Json, split_list
from msaf_bench.errors import GateError, UsageError

if TYPE_CHECKING:
    from msaf_bench.findings.summary import Summary

Old = Annotated[Path, typer.Argument(metavar="OLD", help="Folder of the earlier run.")]
New = Annotated[Path, typer.Argument(metavar="NEW", help="Folder of the later run.")]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on",
        metavar="GATE[,...]",
        rich_help_panel=RUN,
        show_default="worse",
        help=(
            "Gate that fails the command with exit code 4. 'worse': a row is worse beyond its"
            " interval, or fails now. 'miou<-0.5', 'latency>5%': the plain change of a metric"
            " (miou, tc, latency, fps, macs, params) in any row, in points, its unit or percent."
            " 'none': no gate."
        ),
    ),
]
Markdown = Annotated[
    bool,
    typer.Option(
        "--markdown",
        rich_help_panel=OUTPUT,
        help="Print Markdown for a pull-request comment or a job summary.",
    ),
]


def compare(
    old: Old,
    new: New,
    fail_on: FailOn = None,
    as_json: Json = False,
    as_markdown: Markdown = False,
) -> None:
    """Compare two runs of one table, paired by seed. The exit code is 4 if a gate fails: a row got
    worse or fails now, unless --fail-on names other gates.
    """
    if as_json and as_markdown:
        raise UsageError("--json and --markdown: choose one of the two")

    from msaf_bench.cli.printing import print_json
    from msaf_bench.findings.compare import compare as compare_runs
    from msaf_bench.findings.gates import WORSE, Gate, check_gates, read_gates
    from msaf_bench.findings.shifts import shifts
    from msaf_bench.report.tables.comparison import RunComparison, document, lines, markdown

    gates = [] if fail_on is None else read_gates(split_list(fail_on))
    before, after = _summary(old), _summary(new)
    changes = compare_runs(before, after)
    found = shifts(before, after, changes)
    if fail_on is None and any(change.decided for change in changes):
        gates = [Gate(WORSE, "miou")]
    comparison = RunComparison(before, after, changes, found, check_gates(gates, changes, found))
    if as_json:
        print_json(document(comparison))
    elif as_markdown:
        typer.echo(markdown(comparison), nl=False)
    else:
        typer.echo("\n".join(lines(comparison)))
    for line in comparison.broken:
        typer.echo(f"msaf-bench: {line}", err=True)
    failed = [outcome.gate.text for outcome in comparison.outcomes if not outcome.passed]
    if failed:
        raise GateError(f"failed: {', '.join(failed)}")


def _summary(folder: Path) -> "Summary":
    """Return the summary of a run. Raises `UsageError` for a folder without one run of a table."""
    from msaf_bench.findings.run import load_run

    run = load_run(folder.resolve() if folder.is_dir() else folder)
    if run.table.axis:
        raise UsageError(
            f"{folder} holds a table over an axis; compare two of its points, the folders below"
            " points/"
        )
    return run.summary()
