# pyright: basic
"""Checks of the nodes of an existing cluster before any training."""

import os
import platform
import secrets
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import ray
from ray.exceptions import GetTimeoutError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from msaf_bench.architectures import builtin
from msaf_bench.data import content_of, open_split
from msaf_bench.errors import BenchError, HostError, text_of
from msaf_bench.host import Host
from msaf_bench.spec import Trial
from msaf_bench.sweep.executors import Cluster
from msaf_bench.sweep.on_ray.resources import named, room
from msaf_bench.sweep.workspace import Setting

NODES_S = 180  #: time limit in seconds for all nodes; each imports torch and lists the data
SEEN_S = 5  #: time limit in seconds for a new file to appear on a network file system


class Findings(NamedTuple):
    """Software, data and faults of a node."""

    software: Mapping[str, str]  #: version by package
    data: str  #: fingerprint of the data
    faults: tuple[str, ...]  #: each with its option and remedy


def check_nodes(trials: Sequence[Trial], setting: Setting, cluster: Cluster) -> None:
    """Raise `HostError` for the first node that cannot run these trials like this machine.

    Checked are software, folder of reports, starting weights, data and plug-ins. All nodes with
    room for a process of a trial are asked at the same time.
    """
    fits = room(cluster, setting)
    systems = {trial.system.key: trial.system for trial in trials}
    starts = sorted({start.path for system in systems.values() for start in system.starts()})
    nodes = [node for node in ray.nodes() if fits.get(node["NodeID"])]
    with _probe(setting.workspace.folder) as probe:
        asked = trials[0], starts, setting, probe
        answers = [
            _found.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(*asked)
            for node in nodes
        ]
        until = time.monotonic() + NODES_S
        here = found_here(*asked)
        for node, answer in zip(nodes, answers, strict=True):
            try:
                there = ray.get(answer, timeout=max(1, until - time.monotonic()))
            except GetTimeoutError as error:
                raise HostError(
                    f"{named(node)} does not answer within {NODES_S} s; check it with `ray status`,"
                    " or remove it from the cluster"
                ) from error
            except Exception as error:
                raise HostError(f"{named(node)}: {_why(error)}") from error
            for fault in differences(here, there):
                raise HostError(f"{named(node)}: {fault}")


def differences(here: Findings, there: Findings) -> list[str]:
    """Return the differences between a node and this machine, each with its remedy."""
    others = [
        f"{package} is {there.software[package]}, here {version}; install the same on all nodes"
        for package, version in here.software.items()
        if there.software[package] != version
    ]
    if there.faults:
        return [*others, *there.faults]
    if there.data != here.data:
        others.append(
            f"--root holds different data ({there.data}, here {here.data}); use a shared folder, or"
            " copy the data again"
        )
    return others


def found_here(trial: Trial, starts: Sequence[str], setting: Setting, probe: Path) -> Findings:
    """Return this machine's findings for such trials.

    Args:
        trial: One of the trials.
        starts: Paths of the starting weights.
        setting: Folder, device and threads of the trials.
        probe: File in the folder of reports that must be visible.
    """
    host = Host.here()
    software = {
        "msaf-bench": f"{host.msaf_bench} {host.commit}".strip(),
        "torch": host.torch,
    }
    if fault := _reports_fault(probe):
        return Findings(software, "", (fault,))
    for start in starts:
        if not Path(start).is_file():
            return Findings(
                software, "", (f"weights {start} are not visible; put them in a shared folder",)
            )
    try:
        builtin().extend(setting.plugins)
    except BenchError as error:
        return Findings(software, "", (f"--plugin: {text_of(error)}; install it on all nodes",))
    conditions, readers = trial.conditions, setting.readers(trial.conditions)
    try:
        learn, test = (
            open_split(conditions, split, setting.root, readers=readers)
            for split in ("train", "score")
        )
    except BenchError as error:
        return Findings(software, "", (f"--root {setting.root}: {text_of(error)}",))
    return Findings(software, content_of(conditions, learn, test), ())


@ray.remote(num_cpus=0, max_retries=0)
def _found(trial: Trial, starts: Sequence[str], setting: Setting, probe: Path) -> Findings:
    return found_here(trial, starts, setting, probe)


@contextmanager
def _probe(folder: Path) -> Generator[Path]:
    """Keep a uniquely named file in the folder of reports inside the block."""
    path = folder / f".msaf-bench-probe-{secrets.token_hex(8)}"
    path.touch()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _reports_fault(probe: Path) -> str:
    """Return the reason why the folder of reports cannot be used here; empty if it can."""
    until = time.monotonic() + SEEN_S
    while not probe.exists():
        if time.monotonic() > until:
            return f"--reports {probe.parent} is not visible; use a shared folder"
        time.sleep(0.2)
    own = probe.with_name(f"{probe.name}-{platform.node()}-{os.getpid()}")
    try:
        own.touch()
        own.unlink()
    except OSError as error:
        return (
            f"--reports {probe.parent} is not writable ({error.strerror}); correct its permissions"
        )
    return ""


def _why(error: Exception) -> str:
    """Return the reason why a node could not be asked, with the remedy."""
    if "No module named 'msaf_bench" in str(error):
        return "msaf-bench is not installed; install the same version on all nodes"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{lines[-1].strip()}; check the node with `ray status`"
