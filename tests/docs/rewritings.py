"""How the commands of the documentation are shortened when its tests run them.

This is the only place where a command differs from the text of a page. Everything that no line of
it concerns is run as it is printed.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from msaf_bench.catalog import read_table
from msaf_bench.inputs import file_name

Words = list[str]

CHECKPOINT = "runs/step-0000400.safetensors"
FPS = ["--size", "32x64", "--seconds", "0.05", "--processes", "1"]

#: Names that stand for the reader's own folders and files, after these words.
PLACEHOLDERS = (
    # words before, the placeholder, what stands for it
    (r"--data camvid.*--root ", r"DIR", "CamVid"),
    (r"--data cityscapes\b.*--root ", r"DIR", "cityscapes"),
    (r"--data vspw.*--root ", r"DIR", "VSPW_480p"),
    (r"--root ", r"DIR", "."),
    (r"--pred ", r"DIR", "pred"),
    (r"--frames ", r"DIR", "frames"),
    (r"--root ", r"/shared/camvid", "CamVid"),
    (r"--reports ", r"/shared/reports", "reports"),
    (r"", r"(reports/RUN/checkpoints/TRIAL/step-0000|step-)300\.safetensors", CHECKPOINT),
    (r"", r"reports/reference/NAME", "reports/reference/table3-street-quick"),
)  # fmt: skip


class Rule(NamedTuple):
    """A change of the commands that it concerns."""

    concerns: str  #: regular expression, searched in the words of the command
    change: Callable[[Words], Words]
    reason: str
    code: int = 0  #: exit code of what runs, beside 0


def value(words: Words, *names: str) -> str:
    """Return the value of an option, empty without it."""
    return next((words[i + 1] for i, word in enumerate(words[:-1]) if word in names), "")


def table_of(words: Words) -> str:
    """Return the table that `ablate` or `tune` names."""
    return value(words, "--table", "-t") or words[1]


def without(words: Words, *names: str) -> Words:
    """Return the words without these options and their values."""
    kept = list(words)
    for name in names:
        while name in kept:
            place = kept.index(name)
            del kept[place : place + 2]
    return kept


def few_rows(words: Words) -> Words:
    """The row that all are compared with, and the first of those that the command names; no
    controls.
    """
    rows = [read_table(table_of(words)).reference, *value(words, "--rows").split(",")[:1]]
    kept = ["--rows", ",".join(dict.fromkeys(filter(None, rows)))]
    controls = ["--no-controls"] if words[0] == "ablate" else []
    return [*without(words, "--rows"), *kept, *controls]


def small(words: Words) -> Words:
    """The conditions of `smoke` in this process, in the folder that the command would have used."""
    table, preset = read_table(table_of(words)), value(words, "--preset", "-p") or "quick"
    data = Path(value(words, "--data", "-d") or "street").stem
    begin = {"ablate": "", "tune": "tune-"}[words[0]]
    end = "-tuned" if "--tuned" in words else ""
    folder = f"reports/{file_name(f'{begin}{table.name}-{data}-{preset}{end}')}"
    named = [] if "--reports" in words else ["--reports", folder]
    changed = [
        re.sub(r"^(steps|validate_every|checkpoint_every)=\d+$", r"\1=2", word)
        for word in without(words, "--preset", "-p", "--on", "--seeds", "-n", "--speed", "--trials")
    ]
    more = {
        "ablate": ["--seeds", "1", "--speed", "0"],
        "tune": ["--trials", "1"],
    }[words[0]]
    return few_rows([*changed, "--preset", "smoke", "--on", "local", *more, *named])


def dry(words: Words) -> Words:
    """The plan alone. It has a folder of its own: that of the command may hold the
    shortened run of another line, which is under other conditions.
    """
    plan = [] if "--dry-run" in words else ["--dry-run"]
    return few_rows([*without(words, "--reports"), *plan, "--reports", "reports/plan"])


def partial(words: Words) -> Words:
    return [*words, "--set", "data_options.allow_partial=true"]


GPUS = r"--device cuda|--address|--gpus-per-trial|--gpu-memory|torchrun"
FULL = rf"^(ablate|tune)\b.*({GPUS}|--preset paper|--dry-run)"
AXIS = r"^ablate\b.*(when_motion_helps)"

#: The first rule of each group that concerns a command is applied.
RULES: dict[str, tuple[Rule, ...]] = {
    "size of a run": (
        Rule(FULL, dry, "needs GPUs, a cluster or days; the plan of a row is made"),
        Rule(AXIS, dry, "six runs; the plan of a row is made"),
        Rule(r"^(ablate|tune)\b", small, "minutes to hours; a row of few steps shows that it runs"),
        Rule(
            r"^train\b(?!.*--preset smoke)",
            lambda w: [*without(w, "--preset"), "--preset", "smoke"],
            "minutes to days; four steps show that it runs",
        ),
        Rule(
            r"^fps\b",
            lambda w: [*without(w, "--size", "-s", "--seconds", "--processes"), *FPS],
            "half a minute; one short process on small frames shows that it runs",
        ),
        Rule(
            r"^export runs/(?!.*--size)",
            lambda w: [*w, "--size", "32x64"],
            "the checkpoint lies in no run, which would have its size",
        ),
    ),
    "look-alikes are not whole": (
        Rule(
            r"^(ablate|tune|train|data check)\b.*--data camvid\b",
            lambda w: [*partial(w), "--set", "score_spacing=2"],
            "the folder holds a few frames, those of val two apart",
        ),
        Rule(
            r"^(ablate|tune|train|data check)\b.*--data (cityscapes|vspw)\b",
            partial,
            "the folder holds a few frames, not the official number",
        ),
        Rule(
            r"^score miou\b.*--data vspw\b",
            lambda w: [*w, "--skip-bad", "--pred-ids", "train"],
            "a few frames with three of 124 classes, which do not tell the format of the ids",
            code=1,
        ),
        Rule(
            r"^score\b.*--data (camvid|cityscapes|vspw)\b",
            lambda w: [*w, "--skip-bad"],
            "the folder holds a few frames, not the official number: a partial score",
            code=1,
        ),
    ),
}  # fmt: skip

#: Commands that are parsed by the real command line and not run.
PARSED = (
    (r"--track \S*(wandb|mlflow)", "the tracker's package is not installed for tests"),
    (r"^export msaf-r18 .*--to \S+\.onnx", "takes half a minute at full width"),
    (r"^train\b.*--device cuda", "needs GPUs, and has no --dry-run"),
    (r"^ablate\b.*--start \S+,", "the plan of so many published networks takes a minute"),
)

#: Commands of others, which are compared with these forms and not run.
FOREIGN = (
    (r"git clone https://\S+( \S+)?", "needs a network"),
    (r"(python -m )?pip install .+", "needs a network, and changes the environment"),
    (r"source \.venv/bin/activate", "changes the shell"),
    (r"cd \S+", "changes the shell"),
    (r"export \w+=\S+", "changes the shell"),
    (r"ray start --(head --port \d+|address \S+)", "starts a cluster"),
    (r"ray stop", "stops a cluster"),
    (r"tensorboard --logdir \S+", "serves until it is stopped"),
    (r"mlflow ui --backend-store-uri \S+", "serves until it is stopped"),
    (r"wandb sync \S+", "needs a network"),
    (r"rsync --files-from=\S+ SOURCE/ DIR/", "copies a data set of another machine"),
    (r"grep \S+ files\.txt \| xargs unzip -n \S+\.zip -d DIR", "unpacks a data set"),
    (r"open \S+", "opens a browser"),
    (r"python (tests|benchmarks)/\S+\.py( .*)?", "takes minutes; the file has to exist"),
)


def filled(command: str) -> str:
    """Return a command with look-alikes in the place of the reader's folders."""
    for before, placeholder, name in PLACEHOLDERS:
        command = re.sub(rf"({before}){placeholder}(?![\w.])", rf"\g<1>{name}", command)
    return command


def rewritten(words: Words) -> tuple[Words, set[int]]:
    """Return the words of a command after the rules, and the exit codes that it may end with."""
    codes = {0}
    for group in RULES.values():
        text = " ".join(words)
        rule = next((rule for rule in group if re.search(rule.concerns, text)), None)
        if rule:
            words, codes = rule.change(words), codes | {rule.code}
    return words, codes


def parsed_only(words: Words) -> bool:
    return any(re.search(pattern, " ".join(words)) for pattern, _ in PARSED)


def foreign(command: str) -> bool:
    return any(re.fullmatch(pattern, command) for pattern, _ in FOREIGN)
