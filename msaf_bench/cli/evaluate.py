"""`msaf-bench evaluate`: score one checkpoint on a data set."""

from pathlib import Path
from typing import TYPE_CHECKING

from msaf_bench.cli.options import (
    Changes,
    CheckpointFile,
    Data,
    Device,
    History,
    Json,
    LoaderThreads,
    Plugins,
    Preset,
    Root,
    Threads,
)
from msaf_bench.errors import DataError

if TYPE_CHECKING:
    from msaf_bench.architectures.network import VideoNetwork


def evaluate(
    checkpoint: CheckpointFile,
    data: Data = "street",
    root: Root = None,
    preset: Preset = "quick",
    history: History = None,
    device: Device = "cpu",
    threads: Threads = 1,
    loader_threads: LoaderThreads = None,
    changes: Changes = None,
    plugins: Plugins = None,
    as_json: Json = False,
) -> None:
    """Score a checkpoint on a data set: mIoU and temporal consistency. The scored split of the
    preset is used, and label maps are compared at their own resolution.
    """
    from msaf_bench.analyzers.evaluation import evaluate_split
    from msaf_bench.cli.scores import print_scores
    from msaf_bench.cli.settings import check_data, conditions_from, use_plugins
    from msaf_bench.data import open_split
    from msaf_bench.data.prefetch import default_threads
    from msaf_bench.foreign import to_stderr
    from msaf_bench.host import check_device, limited_threads
    from msaf_bench.sweep.workspace import readers_for

    modules = use_plugins(plugins)
    conditions = conditions_from(preset, data, changes, history, systems=True, plugins=modules)
    check_device(device)
    if loader_threads is None:
        loader_threads = default_threads(device, threads)
    net, classes = load_checkpoint(checkpoint, modules, device)
    clips = open_split(
        conditions, "score", check_data(data, root, modules), readers=readers_for(data, modules)
    )
    if len(clips.classes) != classes:
        raise DataError(
            f"{checkpoint} predicts {classes} classes, but {data} has {len(clips.classes)}; use"
            " data with the classes of its training"
        )
    with limited_threads(threads), to_stderr():
        found = evaluate_split(net, clips, conditions, device, loader_threads=loader_threads)
    print_scores({"checkpoint": str(checkpoint), **found.document()}, as_json=as_json)


def load_checkpoint(
    path: Path, plugins: tuple[str, ...], device: str
) -> "tuple[VideoNetwork, int]":
    """Return the network of a checkpoint, in evaluation mode, and its number of classes."""
    from msaf_bench.architectures import build
    from msaf_bench.train.checkpoint import read_checkpoint, restore

    checkpoint = read_checkpoint(path)
    sidecar = checkpoint.sidecar
    net = build(sidecar.system.trained(), sidecar.num_classes, plugins=plugins)
    restore(checkpoint, net)
    return net.to(device).eval(), sidecar.num_classes
