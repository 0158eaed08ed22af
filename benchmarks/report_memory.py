"""Time and peak memory of `msaf-bench report` and of its summary alone, for runs of many records.

    python benchmarks/report_memory.py [100 500 2000] [--run FOLDER] [--rows N] [--images N]

Each run consists of copies of the records of a real run, with new seeds and therefore new ids.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from msaf_bench.files import write_kept
from msaf_bench.records import Matrices, Record, read_records, write_record
from msaf_bench.spec import Trial
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.workspace import Workspace

REFERENCE = Path(__file__).parents[1] / "reports" / "reference" / "table3-street-quick"
# VmHWM is the peak of this program only; ru_maxrss of a child includes its parent before exec.
PEAK = "print(next(line for line in open('/proc/self/status') if 'VmHWM' in line).split()[1])"
WORK = {
    "report": "from msaf_bench.cli import main; main(['report', '--no-pictures', {folder!r}])",
    "summary": (
        "from pathlib import Path; from msaf_bench.findings.run import summarise_run;"
        " from msaf_bench.sweep.workspace import Workspace; w = Workspace(Path({folder!r}));"
        " summarise_run(w, w.plan())"
    ),
}


def make_run(folder: Path, source: Path, count: int, rows: int, images: int) -> int:
    """Write a run of about `count` records and return their number.

    All rows and controls have the same number of seeds.
    """
    plan = Workspace(source).plan()
    if rows:
        others = [row for row in plan.rows if row != plan.table.reference][: rows - 1]
        plan = plan.model_copy(
            update={"rows": tuple(r for r in plan.rows if r in {*others, plan.table.reference}),
                    "controls": ()}
        )  # fmt: skip
    subjects = plan.subjects()
    plan = plan.model_copy(update={"seeds": -(-count // len(subjects))})
    write_kept(folder / "plan.json", plan)
    originals = originals_of(plan, read_records(source / "records"))
    for label in subjects:
        own = [cut(record, images) for record in originals[label]]
        for seed in range(plan.seeds):
            record = own[seed % len(own)]
            trial = Trial(system=record.trial.system, conditions=record.trial.conditions, seed=seed)
            write_record(folder / "records", record.model_copy(update={"trial": trial}))
    return plan.seeds * len(subjects)


def originals_of(plan: Plan, records: dict[str, Record]) -> dict[str, list[Record]]:
    """Return the finished records of each row and control."""
    return {
        label: [
            record
            for record in records.values()
            if (record.trial.system.key, record.trial.conditions) == (system.key, conditions)
            and record.confusion
        ]
        for label, (system, conditions) in plan.subjects().items()
    }


def cut(record: Record, images: int) -> Record:
    """Return a record with the matrices of its first images only, or of all images for 0."""
    if not images:
        return record
    return record.model_copy(
        update={
            name: Matrices.pack(matrices.unpack()[:images])
            for name in ("confusion", "still")
            if (matrices := getattr(record, name)) is not None
        }
    )


def measured(code: str) -> tuple[float, float]:
    """Return the run time in seconds and the peak memory in MiB of a program."""
    begin = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = f"try:\n    {code}\nexcept SystemExit as end:\n    assert not end.code\n{PEAK}"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, check=True
    )
    return time.perf_counter() - begin, int(done.stdout.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("counts", nargs="*", type=int, default=[100, 500, 2000])
    parser.add_argument("--run", type=Path, default=REFERENCE)
    parser.add_argument(
        "--rows",
        type=int,
        default=0,
        help="number of rows, without controls; 0: all, with controls",
    )
    parser.add_argument("--images", type=int, default=0, help="images per record; 0: all")
    given = parser.parse_args()
    for count in given.counts:
        with tempfile.TemporaryDirectory() as folder:
            made = make_run(Path(folder), given.run, count, given.rows, given.images)
            for name, code in WORK.items():
                seconds, mib = measured(code.format(folder=folder))
                print(f"{made:>5} records, {name:<8}{seconds:6.1f} s {mib:7.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
