"""Measure latency in a few fresh processes, one at a time, each of which times all systems in
rounds. No torch here.
"""

import os
import subprocess
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from msaf_bench.analyzers.speed.aggregate import summary
from msaf_bench.analyzers.speed.tasks import Batch, Speed, SpeedTask
from msaf_bench.analyzers.speed.worker_report import SystemRun, WorkerReport
from msaf_bench.children import command
from msaf_bench.host import Host

START_S = 900  #: a process may take this long beside its budget: imports, building, compiling
NAMED = 4  #: systems above which a note gives their number


def measure_speed(
    tasks: Sequence[SpeedTask], *, on_note: Callable[[str], None] = lambda text: None
) -> list[Speed]:
    """Time every task in `conditions.processes` fresh processes, one at a time, and return a
    `Speed` for each, in the same order.

    The tasks may differ in system, size and mode only. A task that fails gets the reason and is not
    tried in later processes.
    """
    if (
        len(
            {
                task.conditions.model_copy(update={"size": (1, 1), "mode": "clip"}).key
                for task in tasks
            }
        )
        != 1
    ):
        raise ValueError("tasks of one measurement may differ in system, size and mode only")
    conditions = tasks[0].conditions
    runs: list[list[SystemRun]] = [[] for _ in tasks]
    reasons: dict[int, str] = {}
    for number in range(1, conditions.processes + 1):
        going = [index for index in range(len(tasks)) if index not in reasons]
        for group in (
            [going] if going and conditions.schedule == "rounds" else [[index] for index in going]
        ):
            on_note(
                f"{_named([tasks[index] for index in group])}: process {number} of"
                f" {conditions.processes}"
            )
            for index, answer in zip(
                group, run_together([tasks[index] for index in group], number), strict=True
            ):
                if isinstance(answer, SystemRun):
                    runs[index].append(answer)
                else:
                    reasons[index] = answer
    here = Host.here(conditions.device, conditions.threads)
    return [
        _speed(task, here, runs[index], reasons.get(index, "")) for index, task in enumerate(tasks)
    ]


def _speed(task: SpeedTask, here: Host, runs: Sequence[SystemRun], reason: str) -> Speed:
    found = {"reason": reason} if reason else summary(runs, task.conditions.threads)
    return Speed.model_validate({**dict(task), "host": here, **found})


def _named(tasks: Sequence[SpeedTask]) -> str:
    """Say in a few words which tasks these are."""
    modes, sizes = (
        dict.fromkeys(t.conditions.mode for t in tasks),
        dict.fromkeys("x".join(map(str, t.conditions.size)) for t in tasks),
    )
    names = dict.fromkeys(t.system.name for t in tasks)
    systems = (
        ", ".join(names) if len(names) <= NAMED else f"{len({t.system.key for t in tasks})} systems"
    )
    return f"timing {systems} at {', '.join(sizes)}, {' and '.join(modes)}"


def run_together(tasks: Sequence[SpeedTask], number: int) -> list[SystemRun | str]:
    """Return the results of one fresh process; of further ones for tasks that it could not hold,
    that failed in it or died with it.

    A reason is therefore always that of a task which was alone in its process.
    """
    answer = run_process(Batch(tasks=tuple(tasks), number=number))
    if len(tasks) == 1:
        return [answer] if isinstance(answer, str) else list(answer.results)
    if isinstance(answer, str):
        half = len(tasks) // 2
        return run_together(tasks[:half], number) + run_together(tasks[half:], number)
    held = [
        found if isinstance(found, SystemRun) else run_together([task], number)[0]
        for task, found in zip(tasks, answer.results, strict=False)
    ]
    return held + (run_together(tasks[len(held) :], number) if len(held) < len(tasks) else [])


def run_process(batch: Batch) -> WorkerReport | str:
    """Return the report of one fresh process, or in one line why there is none."""
    conditions = batch.tasks[0].conditions
    threads, limit = (
        str(conditions.threads),
        START_S + len(batch.tasks) * (conditions.seconds + 3 * conditions.timeout),
    )
    try:
        done = subprocess.run(
            command("msaf_bench.analyzers.speed.worker"),
            input=batch.model_dump_json(),
            env=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
            check=False,
            capture_output=True,
            text=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {limit:.0f} s"
    if done.returncode < 0:
        return f"its process was killed by signal {-done.returncode}, perhaps for memory"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"its process ended with {done.returncode}"])[
            -1
        ]
    try:
        return WorkerReport.model_validate_json(done.stdout)
    except ValidationError as error:
        return f"its process gave no valid report ({error.errors(include_url=False)[0]['msg']})"
