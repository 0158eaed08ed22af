"""Text of a sweep's estimate, printed by `ablate --dry-run`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from msaf_bench.cli.printing import print_json
from msaf_bench.cli.time_text import about

if TYPE_CHECKING:
    from msaf_bench.ablation import Ablation
    from msaf_bench.sweep.estimate import Estimate, StepCost

#: source of an estimated time; other work on the machine changes the result
TIMED = "from one step of each row, timed just now on this machine under its current load"


def print_estimates(ablation: "Ablation", gpu_tflops: float | None, as_json: bool) -> None:
    """Print the estimated memory and time of a sweep, or of every point of a table with an axis."""
    from msaf_bench.ablation import estimates
    from msaf_bench.cli.plan_text import plan_lines
    from msaf_bench.foreign import to_stderr
    from msaf_bench.sweep.plan import ONE_SEED

    if ablation.plan.seeds == 1:
        typer.echo(ONE_SEED, err=True)
    lines = plan_lines(ablation, resume=True)
    with to_stderr():
        found = estimates(ablation, gpu_tflops)
    if not as_json:
        typer.echo("\n".join(lines))
    if ablation.plan.table.axis:
        _print_points(found, as_json)
    elif as_json:
        print_json(found[0].document())
    else:
        _print_estimate(found[0])


def _print_estimate(found: "Estimate") -> None:
    for label, row in found.rows.items():
        typer.echo(f"{label:<30}{_cost_text(row)}")
    many = f" on each of {found.gpus} GPUs" if found.gpus > 1 else ""
    typer.echo(
        f"GiB: memory of one training step{many}, counted; kernels and driver need additional"
        " memory"
    )
    for label, row in found.rows.items():
        if row.not_counted:
            typer.echo(f"{label:<30}not counted: {row.not_counted}")
    if len({row.start for row in found.rows.values()}) > 1:
        for label, row in found.rows.items():
            typer.echo(f"{label:<30}starts from {row.start}")
    if found.finished < found.trials:
        typer.echo(_time_text([found]))
    for sentence in found.power:
        typer.echo(sentence)


def _cost_text(row: "StepCost") -> str:
    cells = [
        "" if row.params is None else f"{row.params:>12,} parameters",
        "" if row.memory_gib is None else f"{row.memory_gib:>7.2f} GiB",
    ]
    if row.step_seconds is not None:
        cells.append(f"{1000 * row.step_seconds:>8.0f} ms per step")
    elif row.tflop is not None:
        cells.append(f"{row.tflop:>7.2f} TFLOP per step")
    if row.gpu_hours is not None:
        cells.append(f"{hours_text(row.gpu_hours):>7} GPU-hours per trial")
    return "  ".join(filter(None, cells))


def _time_text(points: "Iterable[Estimate]") -> str:
    """Return the training time of the missing trials and the source of the estimate."""
    found = list(points)
    minutes = [point.minutes for point in found]
    hours = [point.gpu_hours for point in found]
    whole = None if None in hours else sum(filter(None, hours))
    if None not in minutes:
        return f"{about(60 * sum(filter(None, minutes)))} of training, {TIMED}"
    if whole is None:
        return "no time estimate: the operations of at least one row could not be counted"
    rates = {p: rate for point in found for p, rate in point.tflops.items()}
    speeds = " and ".join(f"{rate:g} TFLOP/s in {p}" for p, rate in rates.items())
    reached = {point.tflops_source for point in found if point.tflops_source}.pop()
    source = "as stated" if reached == "as stated" else f"measured for {reached}"
    return (
        f"{hours_text(whole)} GPU-hours of training for the unfinished trials: computed, not timed,"
        f" from counted operations at {speeds} {source}; loading, validation and scoring are not"
        " included, and several GPUs are assumed to scale perfectly"
    )


def hours_text(hours: float) -> str:
    """Return a number of hours: two significant digits below ten, whole hours above."""
    return f"{hours:.2g}" if hours < 10 else f"{hours:,.0f}"


def _print_points(points: "list[Estimate]", as_json: bool) -> None:
    """Print the estimate of every point of a table with an axis, and their sum."""
    minutes = [point.minutes for point in points]
    hours = [point.gpu_hours for point in points]
    trials = sum(point.trials for point in points)
    if as_json:
        documents = {str(point.folder): point.document() for point in points}
        print_json(
            {
                "points": documents,
                "trials": trials,
                "minutes": None if None in minutes else sum(filter(None, minutes)),
                "gpu_hours": None if None in hours else sum(filter(None, hours)),
            }
        )
        return
    for point in points:
        took = "" if point.gpu_hours is None else f"{hours_text(point.gpu_hours)} GPU-hours"
        if point.minutes is not None:
            took = about(60 * point.minutes)
        most = max((row.memory_gib or 0.0 for row in point.rows.values()), default=0.0)
        typer.echo(
            f"{point.folder.name:<30}{point.trials:>6} trials, {point.finished} finished;"
            f" {took}; at most {most:.2f} GiB per step"
        )
    typer.echo(_time_text(points))
