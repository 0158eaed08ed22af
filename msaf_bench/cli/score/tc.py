"""`msaf-bench score tc`: temporal consistency of a folder of predictions."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from msaf_bench.cli.printing import Json, Overwrite, print_document
from msaf_bench.cli.score.miou import Maps
from msaf_bench.errors import DataError, UsageError, one_of

if TYPE_CHECKING:
    from msaf_bench.analyzers.consistency.measure import Consistency
    from msaf_bench.cli.score.tc_files import Footage


FramePattern = Annotated[
    str | None,
    typer.Option(
        help=(
            "Place of the number in a name: 'img_{frame}_v2'; {hex}, {seconds}, {date}, {clock}; *"
            " tells videos apart. Else inferred."
        )
    ),
]


def score_tc(
    pred: Annotated[
        Path,
        typer.Option(
            "--pred", help="Folder of predicted label maps: PNG or .npy. Subfolders are videos."
        ),
    ],
    frames: Annotated[
        Path | None, typer.Option(help="Folder of the video frames, of the same names and sizes.")
    ] = None,
    flow: Annotated[
        str,
        typer.Option(
            help=(
                "dis, farneback, raft, zero, or flo:DIR with the .flo file of each pair's earlier"
                " frame."
            )
        ),
    ] = "dis",
    backward_flow: Annotated[
        Path | None,
        typer.Option(
            help=(
                "With flo:DIR, folder of the flow back to the earlier frame, by the later frame's"
                " name."
            )
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help=(
                "camvid11, cityscapes19, or a number of classes N (ids 0..N-1, void 255). By"
                " default as many as the ids need."
            )
        ),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            help=(
                "clean, etc2020, etc2020-thc, vspw2021, ewarp, vc8 or vc16; may be repeated. By"
                " default clean."
            )
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="Folder of true label maps: the control, and needed by vc8 and vc16."),
    ] = None,
    frame_pattern: FramePattern = None,
    maps: Maps = None,
    flow_cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps estimated flow for the next time.")
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            "--reports", "--out", help="Folder for JSON, the pairs as CSV, and the matrices."
        ),
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Leave out and list frames without a prediction; exit code 1."
        ),
    ] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Temporal consistency of predicted label maps, with the controls that tell what it is worth.

    `--json` has the list `results`, one entry for each preset, and beside it the entry of the first
    preset. Ends with exit code 3 where no preset has a number, as for a video of one frame.
    """
    from msaf_bench.analyzers.consistency.measure import PRESETS, consistency
    from msaf_bench.cli.counting import counting
    from msaf_bench.cli.score.tc_files import REPORTS, open_footage, write_reports
    from msaf_bench.cli.score.tc_text import as_text
    from msaf_bench.data.labels.classes import class_set
    from msaf_bench.outputs import check_folder, check_outputs

    presets = list(
        dict.fromkeys(one_of("consistency preset", name, PRESETS) for name in preset or ["clean"])
    )
    warped = not all(PRESETS[name].window for name in presets)
    kind, folder = _flow_source(flow, frames, backward_flow, warped=warped)
    counted = [name for name in presets if PRESETS[name].all_classes]
    if classes is None and counted:
        raise UsageError(
            f"--preset {counted[0]} counts classes that never occur; give their number with"
            " --classes"
        )
    if reports:
        check_folder(reports)
    given = class_set(classes) if classes else None
    footage = open_footage(
        pred, frames, truth, given, maps or (), skip_bad=skip_bad, pattern=frame_pattern
    )
    if reports:
        flows_read = [
            place / f"{key}.flo"
            for key in footage.keys
            for place in (folder, backward_flow)
            if kind == "flo" and place
        ]
        check_outputs(reports, REPORTS, (*footage.inputs, *flows_read), overwrite=overwrite)
    known, pairs = footage.classes, footage.neighbours.pairs
    with counting("pairs scored", len(pairs)) as step:
        flows = footage.flows(kind, folder, backward_flow, flow_cache, step)
        found = consistency(
            footage.predictions,
            footage.truths,
            pairs,
            flows,
            presets,
            len(known.names),
            footage.pictures,
        )
    conditions = footage.conditions(flow if warped else "none", backward_flow) | {"map": maps or []}
    documents = [describe(result, footage, known.names) | conditions for result in found]
    document: dict[str, Any] = documents[0] | {"results": documents}
    if reports:
        document["files"] = [str(path) for path in write_reports(document, found, footage, reports)]
    print_document(document, as_text(documents, document), as_json=as_json)
    if all(result.value is None for result in found):
        raise DataError(
            f"{pred}: no consistency: "
            + "; ".join(f"{result.preset}: {result.reason}" for result in found)
        )
    if footage.unpredicted:
        raise typer.Exit(1)


def _flow_source(
    flow: str, frames: Path | None, backward: Path | None, *, warped: bool
) -> tuple[str, Path]:
    """The kind of flow, and the folder of `flo:DIR`. Raises `UsageError` for options that do not go
    together.
    """
    from msaf_bench.data.flow.estimators import ESTIMATORS

    kind, _, folder = flow.partition(":")
    one_of("flow", kind, (*ESTIMATORS, "flo"))
    if (kind == "flo") != bool(folder):
        raise UsageError(f"--flow {flow}: write flo:DIR, or one of {', '.join(ESTIMATORS)}")
    if backward and kind != "flo":
        raise UsageError(f"--backward-flow goes with --flow flo:DIR; {kind} gives both directions")
    if warped and frames is None and kind not in ("flo", "zero"):
        raise UsageError(f"--flow {kind} is estimated from the frames; give --frames DIR")
    return kind, Path(folder)


def describe(result: "Consistency", footage: "Footage", names: tuple[str, ...]) -> dict[str, Any]:
    """What `--json` prints of one preset; null where there is no number."""
    from msaf_bench.analyzers.consistency.measure import PRESETS, chains, per_video
    from msaf_bench.analyzers.miou import class_iou

    preset = PRESETS[result.preset]
    videos = chains(footage.neighbours.pairs)
    own = per_video(result, videos) if result.pairs else [None] * len(videos)
    iou: list[float] = (
        class_iou(result.matrices.sum(0)).tolist() if result.matrices is not None else []
    )
    return {
        "preset": result.preset,
        "tc": result.value,
        "unit": preset.unit,
        "better": preset.better,
        "legacy": preset.legacy,
        "about": preset.about,
        "reason": result.reason,
        "pairs": result.pairs,
        "counted": "windows" if preset.window else "pairs",
        "agreement": result.agreement,
        "votes": result.votes,
        "controls": dict(result.controls),
        "per_class": {
            name: None if math.isnan(each) else each for name, each in zip(names, iou, strict=False)
        },
        "per_video": [
            {
                "first": footage.keys[video[0]],
                "last": footage.keys[video[-1]],
                "frames": len(video),
                "tc": value,
            }
            for video, value in zip(videos, own, strict=True)
        ],
        "constant": (
            result.matrices is not None and int((result.matrices.sum((0, 2)) > 0).sum()) == 1
        ),
    }
