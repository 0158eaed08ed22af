"""Commands of `msaf-bench` as data: groups, modules, summaries and examples.

The top-level help is written from this module alone, without importing any command.
"""

from typing import NamedTuple


class Command(NamedTuple):
    """One command of the command line."""

    place: str  #: module:function below `msaf_bench.cli`
    summary: str  #: first sentence of the command's help
    examples: tuple[str, ...]  #: arguments only, without `msaf-bench` and the command's name


GROUPS: dict[str, tuple[str, ...]] = {
    "Look around": ("list", "show", "check", "doctor"),
    "Train and ablate": ("ablate", "tune", "train", "evaluate", "predict", "export"),
    "Measure": ("flops", "fps", "score"),
    "Data and results": ("data", "report", "compare", "pack"),
}

#: groups of subcommands with their summaries
NESTED = {
    "score": "Score folders of predicted label maps: mIoU, temporal consistency.",
    "data": "Check a data set, list the files a job needs, or write street videos.",
}

COMMANDS: dict[str, Command] = {
    "list": Command(
        "inspect:list_specs",
        "List the systems, tables, presets and data sets, or those that match a pattern.",
        ("", "systems '*msaf*'", "presets --json"),
    ),
    "show": Command(
        "inspect:show",
        "Print one system, table, preset or data set in full.",
        ("msaf-r50", "3", "quick", "table1 --json"),
    ),
    "check": Command(
        "inspect:check",
        "Check that tables, their systems, all presets and data sets can be built.",
        ("", "mine.toml --plugin my_package"),
    ),
    "doctor": Command(
        "inspect:doctor",
        "Print the packages, devices and memory of this machine.",
        ("", "--json"),
    ),
    "ablate": Command(
        "ablate:ablate",
        "Train and score every row of a table with several seeds.",
        (
            "3",
            "3 --data camvid --root DIR --seeds 6",
            "3 --rows 'MSAF,w/o DCN' --preset smoke",
            "mine.toml --plugin my_package --dry-run",
        ),
    ),
    "tune": Command(
        "tune:tune",
        "Search hyper-parameters for every row of a table with an equal budget.",
        (
            "3 --trials 8",
            "3 --trials 16 --stopping asha --data camvid --root DIR",
            "mine.toml --space space.toml --dry-run",
        ),
    ),
    "train": Command(
        "train:train",
        "Train and score one system; write a record and a checkpoint.",
        ("msaf-r18 --preset smoke", "msaf-r50 --data camvid --root DIR --seed 1"),
    ),
    "evaluate": Command(
        "evaluate:evaluate",
        "Score a checkpoint on a data set: mIoU and temporal consistency.",
        ("step-300.safetensors", "step-300.safetensors --data camvid --root DIR"),
    ),
    "predict": Command(
        "predict:predict",
        "Predict the label maps of video frames with a checkpoint.",
        (
            "step-300.safetensors --frames DIR --out predictions",
            "step-9.safetensors --frames a.mp4 -o DIR --overlay b.webm",
        ),
    ),
    "export": Command(
        "export:export",
        "Export a system or a checkpoint to torch.export or ONNX.",
        (
            "step-300.safetensors --to msaf.pt2",
            "step-300.safetensors --to msaf.onnx --dynamic",
            "msaf-r18 --to msaf.onnx --size 256x512 -c camvid11",
        ),
    ),
    "flops": Command(
        "flops:flops",
        "Count the cost of a system, or of attention over three frames.",
        ("--n 97x97", "--n 64x64,97x97 --measure", "--system msaf-r18 --size 512x1024"),
    ),
    "fps": Command(
        "fps:fps",
        "Measure the latency and FPS of systems on this machine.",
        (
            "msaf-r18 --size 128x256",
            "msaf-r18,pspnet18 --size 256x512,512x1024 --mode stream",
            "msaf-r50 --size 512x1024 --seconds 10 --processes 3",
        ),
    ),
    "score miou": Command(
        "score.miou:score_miou",
        "Score predicted label maps against the ground truth: data-set mIoU.",
        (
            "--pred DIR --truth DIR --classes camvid11",
            "--pred DIR --truth DIR --classes 19 --void penalise",
            "--pred DIR --data vspw --root DIR",
        ),
    ),
    "score tc": Command(
        "score.tc:score_tc",
        "Score predicted label maps for temporal consistency.",
        (
            "--pred DIR --frames DIR --classes camvid11",
            "--pred DIR --frames DIR -p clean,etc2020 -c camvid11",
            "--pred DIR --data vspw --root DIR -p clean,vc8,vc16",
        ),
    ),
    "data check": Command(
        "data:check_splits",
        "Read every clip of both splits and summarise the contents.",
        ("", "--data camvid --root DIR"),
    ),
    "data plan": Command(
        "data:plan_files",
        "List the files that a job needs, with their sizes.",
        ("--data cityscapes", "--need tc", "--root DIR --list files.txt"),
    ),
    "data street": Command(
        "data:write_street",
        "Write street videos: frames, label maps, flow and occlusion.",
        ("--out street --videos 4 --frames 30 --size 128x256",),
    ),
    "report": Command(
        "report:report",
        "Render the report of a run from its records, or an index of runs.",
        ("reports/table3-street-quick", "RUN --no-pictures", "--index reports"),
    ),
    "compare": Command(
        "compare:compare",
        "Compare two runs of one table, paired by seed.",
        (
            "OLD NEW",
            "OLD NEW --fail-on worse --fail-on 'latency>5%' --markdown",
            "OLD NEW --fail-on 'miou<-0.5,macs>0' --json",
        ),
    ),
    "pack": Command(
        "pack:pack",
        "Move the records of a finished run into one small archive, to commit it.",
        ("reports/table3-street-quick",),
    ),
}
