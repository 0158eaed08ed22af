"""The machine and its software: what made a number, which devices there are, what fits in memory.

torch and OpenCV are imported only where they are asked or set.
"""

import os
import platform
import re
import subprocess
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

from msaf_bench.errors import HostError, UsageError
from msaf_bench.inherited import CUDA, inherited
from msaf_bench.spec import Conditions, Spec


class Host(Spec):
    """The machine and the software that made a number."""

    device: str
    cpu: str
    cores: int
    threads: int
    python: str
    torch: str
    msaf_bench: str
    commit: str

    @classmethod
    def here(cls, device: str = "cpu", threads: int = 1, device_name: str = "") -> Self:
        """Return this machine. `device_name` is what the driver calls the accelerator."""
        return cls(
            device=device_name or device,
            cpu=_cpu_name(),
            cores=os.cpu_count() or 1,
            threads=threads,
            python=platform.python_version(),
            torch=_version("torch"),
            msaf_bench=_version("msaf-bench"),
            commit=_commit(),
        )


def utc_now() -> str:
    """Return the time in UTC to the second, 2026-11-26T11:00:00Z."""
    return utc_text(datetime.now(UTC))


def utc_text(time: datetime) -> str:
    """Return a time as text that sorts by time."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def commit_times(commits: Iterable[str]) -> dict[str, str]:
    """Return the time of each commit that this package's checkout knows, in UTC; a "+" behind a
    commit, of files that differ from it, is passed over.
    """
    wanted = sorted(set(filter(None, commits)))
    root = Path(__file__).parents[1]
    if not wanted or not (root / ".git").exists():
        return {}
    bare = [commit.removesuffix("+") for commit in wanted]
    try:
        told = _git(root, "log", "--no-walk", "--ignore-missing", "--format=%H %cI", *bare, "--")
    except (OSError, subprocess.TimeoutExpired):
        return {}
    known = [line.split() for line in told.splitlines()]
    times: dict[str, str] = {}
    for commit, short in zip(wanted, bare, strict=True):
        for full, time in known:
            if full.startswith(short):
                times[commit] = utc_text(datetime.fromisoformat(time))
    return times


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def devices() -> tuple[str, ...]:
    """Return the devices that torch can use here: `cpu`, `cuda:0`, ..."""
    import torch

    return ("cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count())))


def device_name(device: str) -> str:
    """Return what the driver calls an accelerator; empty for the CPU. Raises `HostError` if the
    device does not exist.
    """
    import torch

    if not device.startswith("cuda"):
        return ""
    try:
        return torch.cuda.get_device_name(device)
    except (RuntimeError, AssertionError) as error:
        raise HostError(
            f"no device {device} on {platform.node()} ({str(error).splitlines()[0]})"
        ) from error


def check_device(device: str) -> None:
    """Raises `UsageError` for a device that this machine does not have."""
    import torch

    try:
        if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
            raise RuntimeError
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        hidden = "".join(f"; {text}" for text in inherited(CUDA))
        raise UsageError(
            f"no device {device!r} here; there is {', '.join(devices())}{hidden}"
        ) from error


@contextmanager
def limited_threads(count: int) -> Generator[None]:
    """Let torch and OpenCV compute with so many threads; they get theirs back afterwards."""
    import cv2
    import torch

    before, before_cv2 = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        cv2.setNumThreads(before_cv2)


def check_memory(conditions: Conditions) -> None:
    """Raises `UsageError` where the frames of these conditions alone are more than this machine's
    memory.
    """
    height, width = conditions.size
    batch, frames, options = conditions.batch, conditions.frames, dict(conditions.data_options)
    crop_height, crop_width = conditions.crop or conditions.size
    clips = f"a batch of {batch} clips of {frames} frames of {crop_height}x{crop_width}"
    held = {clips: 12 * batch * frames * crop_height * crop_width}
    for split in ("train", "score") if conditions.data == "street" else ():
        videos, length = options.get(f"{split}_videos", 1), options.get("video_frames", 1)
        if isinstance(videos, int) and isinstance(length, int):
            pixels = videos * length * height * width
            held[f"{videos} videos of {length} frames of {height}x{width}"] = 4 * pixels
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for what, size in held.items():
        if size > memory:
            raise UsageError(
                f"--set: {what} take {size / 2**30:,.0f} GiB, this machine has"
                f" {memory / 2**30:,.0f}; use fewer or smaller"
            )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    """The git commit of this package's checkout, with "+" where files differ from it; empty outside
    a checkout.
    """
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return ""
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return head + ("+" if changed else "")


def _git(root: Path, *words: str) -> str:
    # Inside a hook git's own variables name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(root), *words],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
        env=environment,
    )
    return done.stdout.strip()
