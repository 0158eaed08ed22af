"""The machine and its software: the origin of a number, the available devices, the memory.

torch and OpenCV are imported only by the functions that need them.
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
    """The machine and software that produced a number."""

    device: str
    cpu: str
    cores: int
    threads: int
    python: str
    torch: str
    msaf_bench: str
    commit: str

    @property
    def machine(self) -> str:
        """Name of the CPU, or of the accelerator if one was used."""
        return self.cpu if self.device == "cpu" else self.device

    @classmethod
    def here(cls, device: str = "cpu", threads: int = 1, device_name: str = "") -> Self:
        """Return this machine. `device_name` is the accelerator's name as given by the driver."""
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
    """Return the current time in UTC to the second, as in 2026-11-26T11:00:00Z."""
    return utc_text(datetime.now(UTC))


def utc_text(time: datetime) -> str:
    """Return a time in UTC as text that sorts chronologically."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def commit_times(commits: Iterable[str]) -> dict[str, str]:
    """Return the time in UTC of each commit known to this package's checkout.

    A trailing "+", the mark of a checkout with local changes, is ignored.
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
    """Return the number of cores available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def devices() -> tuple[str, ...]:
    """Return the devices available to torch: `cpu`, `cuda:0`, ..."""
    import torch

    return ("cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count())))


def device_name(device: str) -> str:
    """Return an accelerator's name as given by the driver; empty for the CPU.

    Raises `HostError` if the device does not exist.
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
    """Raise `UsageError` if this machine does not have the device."""
    import torch

    try:
        if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
            raise RuntimeError
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        hidden = "".join(f"; {text}" for text in inherited(CUDA))
        raise UsageError(
            f"no device {device!r} here; choose one of: {', '.join(devices())}{hidden}"
        ) from error


@contextmanager
def limited_threads(count: int) -> Generator[None]:
    """Limit torch and OpenCV to a number of threads inside the block."""
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
    """Raise `UsageError` if the frames of these conditions alone exceed this machine's memory."""
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
                f"--set: {what}: {size / 2**30:,.0f} GiB needed, but this machine has"
                f" {memory / 2**30:,.0f} GiB; use fewer or smaller frames"
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
    """Return the git commit of this package's checkout, with "+" if files differ from it.

    Empty outside a checkout.
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
    # Inside a git hook, git's own variables point to another repository.
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
