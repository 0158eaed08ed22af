"""GPU memory of a training step of each row, compared with the memory of the GPU.

A row that does not fit is reported before the first trial, with a change that makes it fit.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from msaf_bench.catalog import data_set_of, is_data_set
from msaf_bench.errors import UsageError
from msaf_bench.spec import Conditions, System
from msaf_bench.sweep.executors import Cluster
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.workspace import Setting
from msaf_bench.train.memory import NotCountedError, StepSize, step_size
from msaf_bench.train.parallel import current

GIB = 2**30
STREET_CLASSES = 11  #: also assumed for a plug-in's data set before it is opened
#: allowance for uncounted memory: workspaces of kernels, fragmentation, the driver. On an H100,
#: peaks with TF32 and bf16 were 0.2 to 0.8 GiB above the count (benchmarks/README.md).
SHARE, DRIVER_GIB = 0.05, 1.0
GPUS = (2, 4, 8)
Subject = tuple[System, Conditions]


@dataclass(frozen=True)
class GpuRoom:
    """GPU memory of each process of a trial."""

    processes: int  #: number of processes that train a trial together, each with a GPU
    gib: float | None  #: memory per process in GiB; None if unknown here

    def fits(self, size: StepSize) -> bool:
        """Return whether a step fits, including the allowance for uncounted memory."""
        return self.gib is None or needed_gib(size) <= self.gib


def gpu_of(setting: Setting, cluster: Cluster | None) -> GpuRoom:
    """Return the GPU memory of each process: as stated, or as reported by the driver here."""
    processes = cluster.processes if cluster else current().size
    share = cluster.gpus if cluster and 0 < cluster.gpus < 1 else 1.0
    gib = setting.gpu_memory_gib
    here = cluster is None or cluster.address is None
    if gib is None and here and setting.device.startswith("cuda") and torch.cuda.is_available():
        gib = torch.cuda.mem_get_info(setting.device)[1] / GIB
    return GpuRoom(processes, None if gib is None else share * gib)


def needed_gib(size: StepSize) -> float:
    """Return the GPU memory of a step in GiB, including the allowance for uncounted memory."""
    return size.peak_bytes / GIB * (1 + SHARE) + DRIVER_GIB


def classes_of(conditions: Conditions) -> int:
    """Return the number of classes without reading the data."""
    if conditions.described or is_data_set(conditions.data):
        return len(data_set_of(conditions).classes)
    return STREET_CLASSES


def size_of(subject: Subject, plugins: tuple[str, ...], processes: int) -> StepSize:
    """Return the size of a training step. Raises `NotCountedError` if it cannot be counted."""
    system, conditions = subject
    # Frozen models are hashable, but their stubs do not say so.
    return step_size(
        system,  # pyright: ignore[reportArgumentType]
        conditions,  # pyright: ignore[reportArgumentType]
        classes_of(conditions),
        processes,
        plugins,
    )


def step_sizes(plan: Plan, processes: int) -> dict[str, StepSize | str]:
    """Return the size of a step of each row and control, or the reason why it is not counted."""
    found: dict[str, StepSize | str] = {}
    for label, subject in plan.subjects().items():
        try:
            found[label] = size_of(subject, plan.plugins, processes)
        except NotCountedError as error:
            found[label] = str(error)
    return found


def memory_text(plan: Plan, gpu: GpuRoom) -> str:
    """Return in words the range of memory that the rows need, and the memory of the GPU."""
    sizes = step_sizes(plan, gpu.processes).values()
    needs = [needed_gib(size) for size in sizes if isinstance(size, StepSize)]
    if not needs:
        return "GPU memory of a training step: not counted"
    low, high = f"{min(needs):.1f}", f"{max(needs):.1f}"
    need = f"{high} GiB" if low == high else f"{low} to {high} GiB"
    each = f" on each of {gpu.processes} GPUs" if gpu.processes > 1 else ""
    has = "" if gpu.gib is None else f"; the GPU has {gpu.gib:.1f}"
    return f"a training step needs about {need} of GPU memory{each}{has}"


def check_fits(plan: Plan, setting: Setting, cluster: Cluster | None) -> None:
    """Raise `UsageError` if a step of a row or control does not fit the GPU.

    The message names the largest row, and changes under which all rows fit. Rows that cannot be
    counted are accepted.
    """
    gpu = gpu_of(setting, cluster)
    if gpu.gib is None:
        return
    sizes = step_sizes(plan, gpu.processes)
    counted = {label: size for label, size in sizes.items() if isinstance(size, StepSize)}
    large = {label: size for label, size in counted.items() if not gpu.fits(size)}
    if not large:
        return
    label = max(large, key=lambda each: large[each].peak_bytes)
    need = large[label]
    each = f" on each of {gpu.processes} GPUs" if gpu.processes > 1 else ""
    raise UsageError(
        f"row {label!r} needs {needed_gib(need):.1f} GiB of GPU memory{each}"
        f" ({need.peak_bytes / GIB:.1f} for a training step, the rest for kernels and driver), the"
        f" GPU has {gpu.gib:.1f}; {_remedy(plan, large, label, gpu, on_ray=cluster is not None)}"
    )


def _remedy(
    plan: Plan, large: Mapping[str, StepSize], label: str, gpu: GpuRoom, *, on_ray: bool
) -> str:
    subjects = plan.subjects()
    fitting: dict[tuple[str, ...], str] = {}  # one change of each kind
    for text, changes, processes in _changes(subjects[label][1], gpu.processes, on_ray=on_ray):
        kind = tuple(changes)
        if kind in fitting or (fitting and len(kind) > 1):
            continue
        changed = {
            each: (subjects[each][0], subjects[each][1].model_copy(update=changes))
            for each in (label, *large)  # the largest first: it usually decides
        }
        sizes = (size_of(subject, plan.plugins, processes) for subject in changed.values())
        if all(gpu.fits(size) for size in sizes):
            needed = needed_gib(size_of(changed[label], plan.plugins, processes))
            effect = _side_effect(changes, changed[label][1])
            fitting[kind] = f"{text} ({needed:.1f} GiB; {effect})"
    if not fitting:
        return "more GPUs, smaller parts and bf16 do not suffice; choose a smaller crop or network"
    return f"add {', or '.join(fitting.values())}"


def _changes(
    conditions: Conditions, processes: int, *, on_ray: bool
) -> Iterator[tuple[str, dict[str, object], int]]:
    """Yield candidate changes: options, the conditions they change, and the number of processes.

    Changes that keep the numbers come first, then parts of a batch, then precision, then
    combinations.
    """
    batch = conditions.batch
    parts = [n for n in range(2, batch // processes) if batch % (processes * n) == 0]
    more = [n for n in GPUS if n > processes and batch % (n * conditions.accumulate) == 0]
    again: dict[str, object] = {"checkpoint_activations": True}
    if on_ray:
        yield from ((f"--gpus-per-trial {n}", {}, n) for n in more)
    if not conditions.compile:
        yield _set(again), again, processes
    for n in parts:
        if n > conditions.accumulate:
            yield _set({"accumulate": n}), {"accumulate": n}, processes
    half: dict[str, object] = {"precision": "bf16"}
    if conditions.precision in ("fp32", "tf32"):
        yield _set(half), half, processes
    if conditions.compile:
        return
    fewest = {"accumulate": parts[-1]} if parts else {}
    for together in (again | fewest, again | half, again | half | fewest):
        yield _set(together), together, processes


def _set(changes: Mapping[str, object]) -> str:
    texts = {k: "true" if value is True else str(value) for k, value in changes.items()}
    return " ".join(f"--set {k}={text}" for k, text in texts.items())


def _side_effect(changes: Mapping[str, object], conditions: Conditions) -> str:
    if not changes:
        return "batch norm synchronised"
    effects: list[str] = []
    if "accumulate" in changes:
        effects.append(f"batch norm sees {conditions.batch // conditions.accumulate} clips")
    if "precision" in changes:
        effects.append("other rounding")
    return ", ".join(effects) or "same numbers, more to compute"
