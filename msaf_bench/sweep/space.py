"""Free disk space, compared before the first trial with the minimum that a sweep writes."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from msaf_bench.analyzers.consistency.flows import flow_bytes
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data.clips import Clips
from msaf_bench.errors import HostError
from msaf_bench.spec import Trial
from msaf_bench.sweep.preflight import Opened
from msaf_bench.sweep.workspace import Workspace
from msaf_bench.train.features import MOST, clip_bytes, clip_count, frozen


def check_space(
    workspace: Workspace,
    trials: Sequence[Trial],
    nets: Mapping[str, VideoNetwork],
    data: Opened,
) -> None:
    """Raise `HostError` if the folder's disk has less free space than these trials will write.

    Args:
        workspace: Folder of the sweep.
        trials: Trials to run.
        nets: Networks by the key of their system, on any device, including the meta device.
        data: Data of the plan.
    """
    wanted = {
        "checkpoints": sum(
            _weights(nets[trial.system.key], trial) for trial in trials if trial.system.key in nets
        ),
        "features": max(0, _features(trials, nets, data) - _held(workspace.features)),
        "flow": max(0, _flow(trials, data.score) - _held(workspace.flow)),
    }
    free = shutil.disk_usage(workspace.folder).free
    if sum(wanted.values()) > free:
        parts = ", ".join(f"{name} {_mib(size)}" for name, size in wanted.items() if size)
        raise HostError(
            f"{workspace.folder} has {_mib(free)} free, but this run writes at least"
            f" {_mib(sum(wanted.values()))} ({parts}); free some space or choose another folder"
            " with --reports"
        )


def _weights(net: VideoNetwork, trial: Trial) -> int:
    """Return the size in bytes of the last checkpoint, and of the one before it if there is one."""
    one = sum(tensor.nbytes for tensor in net.state_dict().values())
    return one * (2 if 0 < trial.conditions.checkpoint_every < trial.conditions.steps else 1)


def _features(trials: Sequence[Trial], nets: Mapping[str, VideoNetwork], data: Opened) -> int:
    found: dict[object, int] = {}
    for trial in trials:
        net, conditions = nets.get(trial.system.key), trial.conditions
        if net is not None and frozen(net, conditions):
            one = clip_bytes(net, conditions)
            scored = clip_count(data.score, "score")
            sizes = [one * conditions.draws * len(data.train), one * scored]
            if data.validate is not None:
                sizes.append(one * len(data.validate))
            found[net.frames, net.input_scale, conditions.past] = sum(
                size for size in sizes if size <= MOST
            )
    return sum(found.values())


def _flow(trials: Sequence[Trial], test: Clips) -> int:
    return sum(flow_bytes(test, kind) for kind in {trial.conditions.flow for trial in trials})


def _held(folder: Path) -> int:
    """Return the size in bytes of the files left by an interrupted sweep."""
    return sum(path.stat().st_size for path in folder.glob("*"))


def _mib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
