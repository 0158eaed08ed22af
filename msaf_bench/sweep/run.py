"""Runs a plan: what is missing, and nothing else."""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Literal, NamedTuple, cast

import torch

from msaf_bench.analyzers.consistency.flows import flows_of
from msaf_bench.architectures import builtin
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data import content_of, open_split
from msaf_bench.data.clips import Clips
from msaf_bench.errors import DataError, HostError, UsageError, one_of, text_of
from msaf_bench.inherited import CUDA, RAY, inherited
from msaf_bench.records import Host, Record, read_record
from msaf_bench.registry import Registry
from msaf_bench.spec import Choice, System, Trial
from msaf_bench.sweep import local
from msaf_bench.sweep.cost import count_rows
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.plan import ONE_SEED, Plan
from msaf_bench.sweep.space import check_space
from msaf_bench.sweep.speed import measure_rows
from msaf_bench.sweep.trial import Setting
from msaf_bench.train.checkpoint import newest_checkpoint, training_id

Executor = Literal["ray", "local"]
Execute = Callable[[Sequence[Trial], Setting, Events], None]


def default_executor() -> Executor:
    """Ray where it is installed, else the plain loop."""
    return "ray" if find_spec("ray") else "local"


def check_device(device: str) -> None:
    """Raises `UsageError` for a device that this machine does not have."""
    try:
        if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
            raise RuntimeError
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        hidden = "".join(f"; {text}" for text in inherited(CUDA))
        raise UsageError(
            f"no device {device!r} here; there is {', '.join(there)}{hidden}"
        ) from error


def check_systems(plan: Plan) -> dict[str, VideoNetwork]:
    """Builds every row, so that a wrong component, option, value or file of weights stops the sweep
    before its first trial.

    Gives the networks, on the meta device, by the key of their system.
    Raises `UsageError` naming the row, also where the network reads more frames than a clip has, or
    no row reads them all.
    """
    registry, read = builtin().extend(plan.plugins), 0
    for name, _ in plan.conditions.shrink:
        one_of("slot, component or architecture to shrink", name, registry.names())
    names: set[str] = set()
    nets: dict[str, VideoNetwork] = {}
    for label, (system, _) in plan.subjects().items():
        try:
            registry.check(system)
            with torch.device("meta"):
                net = registry.build(system, 2)
            frames: int = net.frames
            if isinstance(cast("object", frames), bool) or not isinstance(
                cast("object", frames), int
            ):
                raise UsageError(f"its network reads {frames!r} frames; `frames` is a whole number")
            _read_starts(registry, system)
            nets[system.key] = net
            names |= {part for name, _ in net.named_parameters() for part in name.split(".")}
        except (UsageError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"{plan.table.name}: row {label!r}: {text_of(error)}") from error
        if frames > plan.conditions.frames:
            raise UsageError(
                f"row {label!r} reads {frames} frames, a clip has {plan.conditions.frames}; add"
                f" --set frames={frames}"
            )
        if plan.conditions.batch == 1:
            check_batch_of_one(label, net, plan.conditions.crop or plan.conditions.size)
        read = max(read, frames)
    for part, _ in plan.conditions.rates:
        if part not in names:
            raise UsageError(
                f"rates.{part}: no row has weights of that name; name a part that it has, or leave"
                " it out"
            )
    if plan.conditions.backbone_rate == 0 and not plan.conditions.pretrain_steps:
        for label, (system, _) in plan.subjects().items():
            if "weights" not in dict(
                dict(system.slots).get("backbone", Choice(use="none")).options
            ):
                raise UsageError(
                    f"row {label!r}: backbone_rate = 0 freezes random weights; add --set"
                    " pretrain_steps=1500, or weights to the backbone"
                )
    if plan.table.base and 1 < read < plan.conditions.frames:
        raise UsageError(
            f"a clip has {plan.conditions.frames} frames and no row reads more than {read}; set the"
            " systems' option 'frames' too"
        )
    return nets


def _read_starts(registry: Registry, system: System) -> None:
    """Reads the files of weights that the system starts from. Raises `UsageError` for one that is
    missing or does not fit.
    """
    starts = system.starts()
    if missing := [start.path for start in starts if not start.sha256]:
        raise UsageError(
            f"weights {missing[0]}: no such file; a relative path is taken from the folder of its"
            " .toml file, then from here"
        )
    if nowhere := [start for start in starts if not start.path]:
        raise UsageError(f"{nowhere[0]}: a sum alone is no file; name the file")
    if starts:
        registry.build(system, 2)


def check_batch_of_one(label: str, net: VideoNetwork, size: tuple[int, int]) -> None:
    """Tries a network on the meta device with one clip of frames of `size` (H, W), as in training.

    Raises `UsageError` where batch norm would see a single value a channel, as behind a 1x1
    pooling.
    """
    try:
        with torch.device("meta"):
            net.train()(torch.empty(1, net.frames, 3, *size))
    except ValueError as error:
        raise UsageError(
            f"row {label!r} cannot train with batch = 1: {error}; add --set batch=2"
        ) from error


class Opened(NamedTuple):
    """The data of a plan."""

    learn: Clips
    test: Clips
    content: str  #: their fingerprint


def check_data(plan: Plan, setting: Setting) -> Opened:
    """Opens the data, so that wrong content stops the sweep before its first trial.

    Raises `UsageError` and `DataError` as `open_split` does, also for flow or a past that the data
    set cannot give.
    """
    learn, test = (open_split(plan.conditions, split, setting.root) for split in ("train", "score"))
    if plan.conditions.flow != "none" and test.pairs:
        # exact flow is not known of every data set
        flows_of(test, plan.conditions.flow)(test.pairs[0])
    for own in dict.fromkeys(
        conditions
        for _, conditions in plan.subjects().values()
        if conditions.past != plan.conditions.past
    ):
        open_split(own, "score", setting.root)[0]  # nor can every past be made of it
    return Opened(learn, test, content_of(plan.conditions, learn, test))


def pretrained(
    trial: Trial | None, setting: Setting, events: Events, execute: Execute = local.run
) -> Setting:
    """The setting that starts from this pre-training, which is run unless it is there. Raises
    `HostError` if it failed.
    """
    if trial is None:
        return setting
    path = setting.workspace.records / f"{trial.id}.json"
    found, _ = newest_checkpoint(setting.workspace.checkpoints(trial), training_id(trial))
    whole = found is not None and found.sidecar.step == trial.conditions.steps
    if not path.exists() or read_record(path).state != "done" or not whole:
        execute([trial], setting, events)
    record = read_record(path)
    if record.state != "done":
        raise HostError(f"the pre-training failed: {record.reason}")
    return replace(setting, start=trial)


def run_sweep(
    plan: Plan,
    setting: Setting,
    events: Events,
    *,
    on: Executor = "local",
    resume: bool = False,
    address: str | None = None,
    workers: int | None = None,
    gpus: float = 0.0,
    speed_processes: int = 0,
) -> None:
    """Runs the trials of the plan that have no finished record, failed ones again; then counts
    every row's cost, and times it in so many processes.

    The systems are built, the data opened and the device tried before anything else, so that what
    would stop every trial stops the sweep at once.
    """
    nets = check_systems(plan)
    before = plan.pretraining()
    with setting.workspace.lock():
        done = setting.workspace.finished(plan, resume=resume)
        missing = [trial for trial in plan.trials() if trial.id not in done]
        if missing:
            if address is None:
                check_device(setting.device)
            data = check_data(plan, setting)
            _check_same(
                {i: r for i, r in done.items() if r.trial.conditions.key == plan.conditions.key},
                data.content,
                events,
            )
            check_space(setting.workspace, missing, nets, data.learn, data.test)
        setting.workspace.keep(plan)
        if missing:
            if plan.seeds == 1:
                events.note(ONE_SEED)
            touched = {
                **(RAY if on == "ray" and address is None else {}),
                **(CUDA if setting.device.startswith("cuda") else {}),
            }
            for text in inherited(touched):
                events.note(text)
            execute = local.run if on == "local" else _on_ray(address, workers, gpus)
            # The driver of a cluster may have no accelerator of its own.
            setting = pretrained(before, setting, events, execute if address else local.run)
            execute(missing, setting, events)
        count_rows(plan, setting, events)
        for kept in (setting.workspace.flow, setting.workspace.features):
            shutil.rmtree(kept, ignore_errors=True)  # made again where it is asked for again
        if speed_processes:
            _time_rows(plan, setting, events, speed_processes)


def _time_rows(plan: Plan, setting: Setting, events: Events, processes: int) -> None:
    classes = {
        len(record.class_names) for record in setting.workspace.finished(plan, resume=True).values()
    }
    if not classes:
        return
    try:
        check_device(setting.device)
    except UsageError as error:
        events.note(f"speed is not measured: {error}")
        return
    measure_rows(plan, setting, events, num_classes=classes.pop(), processes=processes)


def _on_ray(address: str | None, workers: int | None, gpus: float) -> Execute:
    try:
        from msaf_bench.sweep import on_ray
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise HostError(
            f"Ray cannot be imported ({said}); install msaf-bench's own requirements or use --on"
            " local"
        ) from error
    return partial(on_ray.run, cluster=on_ray.Cluster(address, workers, gpus))


def _check_same(done: Mapping[str, Record], data: str, events: Events) -> None:
    """Raises `DataError` where finished trials read other data; says where they were made by other
    code.
    """
    if other := {record.data for record in done.values()} - {data}:
        raise DataError(
            f"the finished trials read data of other content ({other.pop()}, now {data}); choose"
            " another folder with --reports"
        )
    here = Host.here()
    others = {(r.host.msaf_bench, r.host.commit) for r in done.values()} - {
        (here.msaf_bench, here.commit)
    }
    if others:
        made = ", ".join(f"{version} {commit}".strip() for version, commit in sorted(others))
        events.note(
            f"finished trials here were made by other code ({made}); this is {here.msaf_bench}"
            f" {here.commit}"
        )
