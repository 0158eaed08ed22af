"""`msaf-bench export`: write a network as a torch.export or ONNX program, with a model card."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from msaf_bench.cli.options import DATA, OUTPUT, Json, Overwrite, Plugins, Threads, at_most, systems
from msaf_bench.cli.score.miou import CLASS_SETS
from msaf_bench.errors import UsageError, in_any_case

if TYPE_CHECKING:
    from msaf_bench.exchange.source import Source

CLASSES = "cityscapes19"  #: default class set of a system, which has no classes of its own


def export(
    name: Annotated[
        str,
        typer.Argument(
            metavar="SYSTEM|CHECKPOINT",
            autocompletion=systems,
            show_default=False,
            help=(
                "Checkpoint (.safetensors with its .json sidecar), or system by name or .toml file"
                " (exported with random weights)."
            ),
        ),
    ],
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FILE.pt2|FILE.onnx",
            rich_help_panel=OUTPUT,
            help="Output file; its suffix selects the format: .pt2 (torch.export) or .onnx (ONNX).",
        ),
    ],
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            "-s",
            metavar="HxW",
            rich_help_panel=DATA,
            show_default="training size, if the checkpoint is in its run's folder",
            help="Size of the frames in pixels, height first. Required for a system.",
        ),
    ] = None,
    batch: Annotated[
        int,
        typer.Option(
            "--batch",
            "-b",
            min=1,
            metavar="N",
            callback=at_most(256, "no device holds more clips"),
            rich_help_panel=DATA,
            help="Fixed number of clips per call.",
        ),
    ] = 1,
    dynamic: Annotated[
        bool,
        typer.Option(
            "--dynamic", rich_help_panel=DATA, help="Accept any number of clips per call, up to 64."
        ),
    ] = False,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            "-c",
            metavar="NAME|N",
            autocompletion=lambda: CLASS_SETS,
            rich_help_panel=DATA,
            show_default=f"classes of the training; {CLASSES} for a system",
            help="Classes of the network: a class set, a data set or a number of classes.",
        ),
    ] = None,
    card: Annotated[
        bool,
        typer.Option(
            rich_help_panel=OUTPUT, help="Write a model card next to the output file, as FILE.md."
        ),
    ] = True,
    threads: Threads = 1,
    plugins: Plugins = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Export a system or a checkpoint to torch.export or ONNX. The exported program is compared
    with the network; no file is written if their outputs differ.
    """
    from msaf_bench.cli.printing import print_document
    from msaf_bench.cli.settings import use_plugins
    from msaf_bench.exchange.card import model_card
    from msaf_bench.exchange.programs import check_format
    from msaf_bench.exchange.programs import export as export_program
    from msaf_bench.exchange.source import WEIGHTS
    from msaf_bench.host import limited_threads
    from msaf_bench.outputs import check_outputs, entering, write_outputs
    from msaf_bench.sizes import parse_size

    check_format(to)
    if dynamic and batch != 1:
        raise UsageError("--batch fixes the number of clips, --dynamic does not; give one of them")
    asked = parse_size(size) if size else None
    trained = name.endswith(WEIGHTS)
    names = [to.name, *([f"{to.name}.md"] if card else [])]
    inputs = [Path(name)] if trained else []
    check_outputs(to.parent, names, inputs, deep=False, overwrite=overwrite, option="--to")
    with limited_threads(threads):
        source = _source(name, classes, use_plugins(plugins), trained=trained)
        shown = asked or (source.conditions.size if source.conditions else None)
        if shown is None:
            raise UsageError("--size is missing; write HxW, e.g. --size 512x1024")
        with entering(to.parent) as written:
            program = export_program(
                source.net,
                to,
                size=shown,
                batch=None if dynamic else batch,
                about=source.metadata(),
            )
            written.append(to.name)
        if card:
            write_outputs(to.parent, {names[1]: model_card(source, program)})
    h, w = program.size
    document = {
        "files": [str(to.parent / each) for each in names],
        "system": source.system.name,
        "weights": "trained" if source.sidecar else "random",
        "frames": program.frames,
        "size": [h, w],
        "batch": program.batch or "any",
        "difference": program.difference,
        "agreement": round(program.agreement, 3),
    }
    many = "any number of clips" if dynamic else f"{batch} x {program.frames} frames"
    compared = (
        f"logits differ by at most {program.difference:.1e} of the largest logit;"
        f" {program.agreement:.2f} % of the pixels have the same class"
    )
    lines = [
        f"{to}: {source.system.name}, {document['weights']} weights, {many} of {h}x{w}",
        compared,
    ]
    if card:
        lines.append(f"model card in {to.parent / names[1]}")
        if source.lacking:
            lines.append(f"note: the card has no numbers: {source.lacking}")
    print_document(document, lines, as_json=as_json)


def _source(name: str, classes: str | None, plugins: tuple[str, ...], *, trained: bool) -> "Source":
    """Return the named network with its classes."""
    from dataclasses import replace

    from msaf_bench.data.labels.classes import class_set
    from msaf_bench.errors import DataError
    from msaf_bench.exchange.source import checkpoint_source, random_source

    known = class_set(in_any_case(classes or CLASSES, CLASS_SETS)).names
    if not trained:
        return random_source(name, known, plugins)
    source = checkpoint_source(Path(name), plugins)
    if classes is None:
        return source
    if len(known) != source.num_classes:
        raise DataError(
            f"{name} predicts {source.num_classes} classes, but --classes {classes} has"
            f" {len(known)}; give the classes of its training"
        )
    return replace(source, class_names=known)
