"""`msaf-bench train`, `evaluate`, `predict`: one system, one checkpoint."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from msaf_bench.cli.inspect import Plugins
from msaf_bench.cli.printing import Json, Overwrite, print_document
from msaf_bench.cli.score.miou import NO_CLASS_LEFT
from msaf_bench.cli.score.tc import FramePattern
from msaf_bench.cli.settings import (
    SEED,
    Changes,
    Data,
    Device,
    History,
    Preset,
    Root,
    Threads,
    check_data,
    conditions_from,
    parse_size,
    use_plugins,
)
from msaf_bench.documents import finite
from msaf_bench.errors import DataError, HostError
from msaf_bench.inputs import file_name

if TYPE_CHECKING:
    from msaf_bench.architectures.network import VideoNetwork
    from msaf_bench.data.frames.neighbours import Neighbours

CheckpointFile = Annotated[
    Path, typer.Argument(help="A .safetensors file with its .json beside it.")
]


def train(
    system: Annotated[str, typer.Argument(help="A system of models/ or a .toml file.")],
    data: Data = "street",
    root: Root = None,
    preset: Preset = "quick",
    history: History = None,
    seed: Annotated[int, typer.Option(min=0, callback=SEED)] = 0,
    device: Device = "cpu",
    threads: Threads = 1,
    reports: Annotated[
        Path | None,
        typer.Option(help="Folder of this run (default: reports/train-SYSTEM-DATA-PRESET)."),
    ] = None,
    changes: Changes = None,
    plugins: Plugins = None,
    as_json: Json = False,
) -> None:
    """Train and score one system; leaves a record and a checkpoint. Goes on from a checkpoint that
    is there.
    """
    from msaf_bench.catalog import read_system, shrunk
    from msaf_bench.cli.progress import SweepProgress
    from msaf_bench.host import check_device
    from msaf_bench.records import read_records
    from msaf_bench.spec import Trial
    from msaf_bench.sweep.driver import pretrained
    from msaf_bench.sweep.plan import pretraining_of
    from msaf_bench.sweep.trial import run_trial
    from msaf_bench.sweep.workspace import Setting, Workspace, check_starts
    from msaf_bench.train.checkpoint import steps_in

    conditions = conditions_from(preset, data, changes, history, systems=True)
    read = read_system(system)
    small = shrunk(read, conditions)
    trial = Trial(system=small, conditions=conditions, seed=seed)
    folder = (
        reports or Path("reports") / file_name(f"train-{read.name}-{data}-{Path(preset).stem}")
    ).resolve()
    setting = Setting(
        Workspace(folder), check_data(data, root), device, threads, use_plugins(plugins)
    )
    check_device(device)
    check_starts([trial], read_records(setting.workspace.records).values())
    with setting.workspace.lock(), SweepProgress({trial.id: read.name}, [trial], 0) as progress:
        try:
            setting = pretrained(
                pretraining_of(small, conditions) if conditions.pretrain_steps else None,
                setting,
                progress,
            )
            record = run_trial(
                trial, setting, lambda step, loss: progress.step(trial, step, loss), progress.note
            )
        except (KeyboardInterrupt, SystemExit, HostError):
            kept = steps_in(setting.workspace.checkpoints(trial))
            progress.note(
                f"stopped; the same command goes on from step {kept[-1] if kept else 0} of"
                f" {conditions.steps}"
            )
            raise
        progress.finished(record)
    if record.confusion is None:
        raise typer.Exit(1)
    checkpoint = max(setting.workspace.checkpoints(trial).glob("step-*.safetensors"))
    about = {"checkpoint": str(checkpoint), "data": data, "seed": seed}
    confusion, still = record.confusion.unpack(), record.still and record.still.unpack()
    _print_score(
        confusion,
        record.class_names,
        about | _beside(confusion, still, record.consistency),
        as_json,
    )


def evaluate(
    checkpoint: CheckpointFile,
    data: Data = "street",
    root: Root = None,
    preset: Preset = "quick",
    history: History = None,
    device: Device = "cpu",
    threads: Threads = 1,
    changes: Changes = None,
    plugins: Plugins = None,
    as_json: Json = False,
) -> None:
    """MIoU and temporal consistency of a checkpoint on a data set's scored split, at the labels'
    resolution.
    """
    import tempfile

    from msaf_bench.data import open_split
    from msaf_bench.foreign import to_stderr
    from msaf_bench.host import check_device, limited_threads
    from msaf_bench.sweep.evaluation import measure

    conditions = conditions_from(preset, data, changes, history, systems=True)
    check_device(device)
    net, classes = _load(checkpoint, use_plugins(plugins), device)
    clips = open_split(conditions, "score", check_data(data, root))
    if len(clips.classes) != classes:
        raise DataError(
            f"{checkpoint} knows {classes} classes, {data} has {len(clips.classes)}; evaluate it on"
            " data of its own classes"
        )
    about = {
        "checkpoint": str(checkpoint),
        "data": data,
        "split": "score",
        "spacing": conditions.score_spacing,
        "repeated": clips.repeated,
    }
    with limited_threads(threads), tempfile.TemporaryDirectory() as cache, to_stderr():
        scored = measure(net, clips, conditions, device, Path(cache))
    about |= {
        "skipped": clips.skipped,
        **_beside(scored.confusion, scored.still, scored.consistency),
    }
    _print_score(scored.confusion, clips.classes, about, as_json)


def predict(
    checkpoint: CheckpointFile,
    frames: Annotated[
        Path,
        typer.Option(
            help="Folder of the frames of one or several videos, which their names tell apart."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the label maps.")],
    size: Annotated[
        str | None, typer.Option(help="HxW that the network sees (default: the frames' own).")
    ] = None,
    frame_pattern: FramePattern = None,
    device: Device = "cpu",
    threads: Threads = 1,
    plugins: Plugins = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Segment videos frame by frame; writes one PNG of class ids a frame, of the frame's size.
    Every video starts anew.
    """
    import torch

    from msaf_bench.data.frames.files import check_sizes, list_frames, read_frame, resized
    from msaf_bench.data.frames.neighbours import neighbours
    from msaf_bench.data.labels.stack import write_stack
    from msaf_bench.data.transforms import normalise
    from msaf_bench.foreign import to_stderr
    from msaf_bench.host import check_device, limited_threads
    from msaf_bench.outputs import check_outputs, entering

    check_device(device)
    seen_size = parse_size(size) if size else None
    by_key, ignored = list_frames(frames)
    keys, paths = list(by_key), list(by_key.values())
    found = neighbours(keys, frame_pattern)
    turned = [
        path for video in found.videos for path in check_sizes([paths[index] for index in video])
    ]
    check_outputs(
        out,
        (f"{key}.png" for key in keys),
        [*paths, checkpoint],
        listed=[frames],
        deep=False,
        overwrite=overwrite,
        option="--out",
    )
    net, _ = _load(checkpoint, use_plugins(plugins), device)
    order = [(index, index == video[0]) for video in found.videos for index in video]
    stream = net.stream()
    with (
        limited_threads(threads),
        to_stderr(),
        torch.inference_mode(),
        entering(out) as written,
        typer.progressbar(order, file=typer.get_text_stream("stderr"), label="frames") as bar,
    ):
        for index, first in bar:
            stream = net.stream() if first else stream
            picture = read_frame(paths[index])
            frame = normalise(resized(picture, seen_size or picture.shape[:2])[None]).to(device)
            logits = torch.nn.functional.interpolate(
                stream.step(frame), picture.shape[:2], mode="bilinear"
            )
            if not torch.isfinite(logits).all():
                raise DataError(
                    f"{paths[index]}: the network's logits are not finite; use a checkpoint of an"
                    " earlier step"
                )
            write_stack(
                out / f"{keys[index]}.png", [logits.argmax(1)[0].to("cpu", torch.uint8).numpy()]
            )
            written.append(f"{keys[index]}.png")
    notes = [*_video_notes(found, keys), *map(str, ignored)]
    if turned:
        notes.append(
            f"{len(turned)} frames are turned as their EXIF orientation says, such as"
            f" {turned[0].name}"
        )
    document = {
        "frames": len(paths),
        "out": str(out),
        "numbering": found.describe(keys),
        "gaps": len(found.gaps),
        "turned": len(turned),
        "ignored": [each._asdict() for each in ignored],
        "notes": notes,
    }
    print_document(
        document,
        (f"{len(paths)} label maps in {out}", *(f"note: {note}" for note in notes)),
        as_json=as_json,
    )


def _video_notes(found: "Neighbours", keys: list[str]) -> Iterator[str]:
    """How the frames were put in order, and where that is not a matter of course."""
    about = found.describe(keys)
    read = ", ".join(f"{key} is {number}" for key, number in about["read"].items())
    videos = f"{len(found.videos)} video{'s' if len(found.videos) > 1 else ''}"
    yield (
        f"{videos}, frames numbered as {' and '.join(about['patterns'][:2])} ({about['kind']})"
        + (f": {read}" if read else "")
    )
    if found.gaps:
        before, after = (keys[index] for index in found.gaps[0])
        yield (
            f"gaps: {len(found.gaps)}, such as from {before} to {after}; what the network keeps of"
            " the past reaches across them"
        )


def _load(path: Path, plugins: tuple[str, ...], device: str) -> "tuple[VideoNetwork, int]":
    from msaf_bench.architectures import build
    from msaf_bench.train.checkpoint import read_checkpoint, restore

    checkpoint = read_checkpoint(path)
    net = build(
        checkpoint.sidecar.system.trained(), checkpoint.sidecar.num_classes, plugins=plugins
    )
    restore(checkpoint, net)
    return net.to(device).eval(), checkpoint.sidecar.num_classes


def _beside(confusion: Any, still: Any, consistency: Any) -> dict[str, Any]:
    """What is printed beside the mIoU: its part that comes from the past, and temporal
    consistency.
    """
    from msaf_bench.analyzers.miou import miou

    past = {} if still is None else {"past": round(miou(confusion.sum(0)) - miou(still.sum(0)), 2)}
    values = {f"tc_{c.preset}": None if c.value is None else round(c.value, 2) for c in consistency}
    reasons = {f"tc_{c.preset}": c.reason for c in consistency if c.value is None}
    return (
        past
        | values
        | ({"flow": consistency[0].flow} if consistency else {})
        | {"undefined": reasons}
    )


def _print_score(
    matrices: Any, classes: tuple[str, ...], about: dict[str, Any], as_json: bool
) -> None:
    """Print the score of a split; null and the reason for what has no number. Raises `DataError`
    after that where there is no mIoU.
    """
    from msaf_bench.analyzers.miou import best_constant, class_iou, miou

    confusion = matrices.sum(0)
    per_class = {
        name: None if iou != iou else round(float(iou), 2)
        for name, iou in zip(classes, class_iou(confusion), strict=True)
    }
    found = {
        **about,
        "miou": round(miou(confusion), 2),
        "best_constant": round(best_constant(confusion), 2),
        "images": len(matrices),
        "void": "ignore",
    }
    reasons = about.get("undefined", {}) | {
        key: NO_CLASS_LEFT for key, value in found.items() if value != value
    }
    lines = (
        f"{key:<14}{'-' if value is None else value}"
        for key, value in cast("dict[str, Any]", finite({**found, **per_class})).items()
        if key != "undefined"
    )
    print_document(found | {"per_class": per_class, "undefined": reasons}, lines, as_json=as_json)
    if found["miou"] != found["miou"]:
        raise DataError(
            f"no mIoU: {NO_CLASS_LEFT} in the scored split; check it with `msaf-bench data check`"
        )
