"""Runs below a folder, each with its plan and the content of its report."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from msaf_bench.errors import BenchError
from msaf_bench.folders import is_litter, natural
from msaf_bench.host import commit_times, utc_text
from msaf_bench.inputs import file_name
from msaf_bench.packed import ARCHIVE
from msaf_bench.report.index.documents import Document, Machine, read_document
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.workspace import Workspace

Source = Literal["run", "code", "files", ""]
#: prefix of a date that is not the end of the newest trial
DATED: dict[Source, str] = {"run": "", "code": "code of ", "files": "files of ", "": ""}


@dataclass(frozen=True)
class ListedRun:
    """A run or study in its folder; the content of damaged files is empty, with a fault."""

    folder: str  #: path relative to the index; "." for its own folder
    plan: Plan | None = None
    document: Document | None = None  #: None without a report
    page: bool = False  #: whether it has an HTML page
    faults: tuple[str, ...] = ()  #: one line per damaged file
    time: str = ""  #: UTC; empty if unknown
    #: source of the time: newest trial, commit of its code, or newest file of a record
    timed: Source = ""

    @property
    def name(self) -> str:
        """Stem of the names of its report files."""
        return file_name(self.plan.table.name) if self.plan else ""

    @property
    def answered(self) -> bool:
        """Whether its report has answers; reports of earlier versions have none."""
        return self.document is not None and bool(self.document.title)

    @property
    def hosts(self) -> tuple[Machine, ...]:
        """Machines and versions of its records, according to its report."""
        return self.document.hosts if self.document else ()

    @property
    def commits(self) -> tuple[str, ...]:
        """Commits of the code of its records."""
        return tuple(dict.fromkeys(host.commit for host in self.hosts if host.commit))

    @property
    def day(self) -> str:
        """Date with its source; empty if unknown."""
        return f"{DATED[self.timed]}{self.time[:10]}"

    @property
    def short_commits(self) -> str:
        """Shortened commits; "+" stands for uncommitted changes."""
        short = (commit[:7] + ("+" if commit.endswith("+") else "") for commit in self.commits)
        return ", ".join(short)


def read_runs(folder: Path) -> list[ListedRun]:
    """Return the runs below a folder, newest first and runs without a time last.

    Points of a study are not listed separately.
    """
    runs = [_read(folder, path) for path in _folders(folder)]
    times = commit_times(commit for run in runs if not run.time for commit in run.commits)
    dated = [_dated(run, folder, times) for run in runs]
    dated.sort(key=lambda run: natural(run.folder))
    dated.sort(key=lambda run: run.time, reverse=True)
    return dated


def _folders(folder: Path) -> Iterator[Path]:
    for place, below, names in os.walk(folder):
        if "plan.json" in names:
            yield Path(place)
            below.clear()
        below[:] = sorted(name for name in below if not is_litter(name))


def _read(index: Path, folder: Path) -> ListedRun:
    run = ListedRun(folder.relative_to(index).as_posix())
    try:
        run = replace(run, plan=Workspace(folder).plan())
    except BenchError as error:
        return replace(run, faults=(str(error).replace(f"{index}{os.sep}", ""),))
    path = folder / f"{run.name}.json"
    run = replace(run, page=path.with_suffix(".html").exists())
    try:
        document = read_document(path)
    except FileNotFoundError:
        return run
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        fault = f"{path.relative_to(index).as_posix()}: not the JSON of a report ({why})"
        return replace(run, faults=(fault,))
    return replace(run, document=document, time=document.ended, timed="run")


def _dated(run: ListedRun, index: Path, times: dict[str, str]) -> ListedRun:
    """Return the run with its best known time; file times come last, as clones change them."""
    if run.time:
        return run
    if known := [times[commit] for commit in run.commits if commit in times]:
        return replace(run, time=max(known), timed="code")
    folder = index / run.folder
    files = (*folder.glob("records/*.json"), *folder.glob(ARCHIVE))
    written = [path.stat().st_mtime for path in files]
    if not written:
        return replace(run, timed="")
    return replace(run, time=utc_text(datetime.fromtimestamp(max(written), UTC)), timed="files")
