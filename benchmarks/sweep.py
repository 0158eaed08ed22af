"""Wall time and memory of one plan on both executors, one after the other, in fresh processes.

    python benchmarks/sweep.py [--workers 2] -- --table 3 --seeds 2 ...

Options after `--` are passed to `msaf-bench ablate`. Memory is the peak of the proportional set
size, summed over the processes of the run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


def descendants(root: int) -> set[int]:
    """Return a process and all its descendants, including those moved to new sessions by Ray."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
    found = {root}
    while grown := {child for child, parent in parents.items() if parent in found} - found:
        found |= grown
    return found


def memory_mib(processes: set[int]) -> float:
    """Return the proportional set size: a page shared by n processes counts 1/n for each."""
    total = 0
    for process in processes:
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next(
            (int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0
        )
    return total / 1024


def run(executor: str, workers: int, arguments: list[str]) -> dict[str, float]:
    """Return the seconds, the peak memory in MiB and the mIoU of one run in a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "msaf_bench",
            "ablate",
            *arguments,
            "--on",
            executor,
            "--reports",
            folder,
            "--json",
        ]
        command += ["--workers", str(workers)] if executor == "ray" else []
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        peak = [0.0]

        def watch() -> None:
            while process.poll() is None:
                peak[0] = max(peak[0], memory_mib(descendants(process.pid)))
                time.sleep(1)

        watcher = threading.Thread(target=watch)
        watcher.start()
        document = json.loads(process.communicate()[0])
        watcher.join()
        seconds = time.perf_counter() - begin
        scores = [row["measured_miou"] for row in document["rows"]]
        return {
            "seconds": round(seconds, 1),
            "peak_mib": round(peak[0]),
            "scores": scores,
        }  # pyright: ignore


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("arguments", nargs="*", default=["--table", "3", "--seeds", "1"])
    given = parser.parse_args()
    found = {
        executor: run(executor, given.workers, given.arguments) for executor in ("local", "ray")
    }
    for executor, result in found.items():
        print(f"{executor:<6} {result['seconds']:>8.1f} s {result['peak_mib']:>6} MiB")
    print(f"local / ray: {found['local']['seconds'] / found['ray']['seconds']:.2f}")
    print(f"same numbers: {found['local']['scores'] == found['ray']['scores']}")


if __name__ == "__main__":
    main()
