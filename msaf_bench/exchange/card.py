"""Model card of a program: the system, its training, its measurements and its use.

A value that was not measured is left out. The front matter is that of the Hugging Face Hub
(`model-index`); its strings are JSON, which is valid YAML.
"""

import json
from collections.abc import Iterable, Iterator
from typing import cast

from msaf_bench.catalog import list_data_sets, read_data_set
from msaf_bench.data.transforms import MEAN, STD
from msaf_bench.exchange.programs import Program
from msaf_bench.exchange.source import Source
from msaf_bench.findings.digits import counted, mean_span, millions, number
from msaf_bench.findings.subjects import Subject
from msaf_bench.host import Host
from msaf_bench.spec import STREET, Conditions

#: training conditions on a card, with their labels
SHOWN = {
    "steps": "steps",
    "batch": "clips per batch",
    "crop": "crop",
    "lr": "peak learning rate",
    "backbone_rate": "relative learning rate of the backbone",
    "weight_decay": "weight decay",
    "precision": "precision",
    "pretrain_steps": "steps of the shared pre-training",
    "ema": "decay of the weight average (EMA)",
}
NO_NUMBERS = "These weights were not measured"


def model_card(source: Source, program: Program) -> str:
    """Return the card as Markdown with front matter."""
    sections = (
        _front(source),
        f"# {source.title}\n",
        _watermark(source.conditions),
        _model(source, program),
        _training(source),
        _numbers(source),
        _health(source),
        _limits(source),
        _use(source, program),
        _made(source, program),
    )
    return "\n".join(section for section in sections if section)


def _front(source: Source) -> str:
    lines = [
        "---",
        "library_name: msaf-bench",
        "pipeline_tag: image-segmentation",
        "tags: [video-semantic-segmentation]",
    ]
    trial, c = source.trial, source.conditions
    if trial and c and not c.watermark:  # the Hub would show the numbers without the watermark
        told = {"type": c.data, "name": _data_title(c), "split": _split(c)}
        data = ", ".join(f"{key}: {json.dumps(value)}" for key, value in told.items())
        lines += [
            "model-index:",
            f"- name: {json.dumps(source.title)}",
            "  results:",
            "  - task: {type: image-segmentation, name: video semantic segmentation}",
            f"    dataset: {{{data}}}",
            "    metrics:",
        ]
        for kind, name, value in _metrics(trial):
            named = f"type: {kind}, name: {json.dumps(name)}"
            lines.append(f"    - {{{named}, value: {value:.2f}}}")
    return "\n".join((*lines, "---", ""))


def _metrics(trial: Subject) -> Iterator[tuple[str, str, float]]:
    """Yield type, name and value in percent of each measurement of one trial."""
    if trial.interval:
        yield "mean_iou", "mIoU (%)", trial.interval.mean
    for measured in trial.measures.consistency:
        if measured.interval:
            name = f"temporal consistency {measured.preset}, flow {measured.flow} (%)"
            yield "temporal_consistency", name, measured.interval.mean


def _watermark(c: Conditions | None) -> str:
    return f"> **{c.watermark}**\n" if c and c.watermark else ""


def _model(source: Source, program: Program) -> str:
    system, published = source.system, source.published
    weights = "trained" if source.sidecar else "**random: the network was not trained**"
    about = f"System `{system.name}`" if published else f"A variant of `{system.name}`"
    about += f", architecture {system.architecture}; weights {weights}."
    if published and published.source:
        about += f" Source: {published.source}."
    if published and published.licence:
        about += f" Licence of the official code: {published.licence}."
    parts = [f"| {slot} | {choice} |" for slot, choice in system.slots]
    lines = [about, "", "| part | component |", "|---|---|", *parts]
    if system.options:
        options = ", ".join(f"{name} = {value}" for name, value in system.options)
        lines += ["", f"Options: {options}."]
    h, w = program.size
    shape = (
        f"Input: a clip (B, {program.frames}, 3, {h}, {w}) float32, oldest frame first, RGB scaled"
        f" to 0..1, minus {MEAN}, divided by {STD}; B is {program.batch or 'any number'}. Output:"
        f" logits (B, {source.num_classes}, {h}, {w}) of the newest frame."
    )
    lines += ["", shape]
    if source.class_names:
        lines += ["", f"Classes, in order: {', '.join(source.class_names)}."]
    return _section("Model", lines)


def _training(source: Source) -> str:
    c = source.conditions
    if c is None or source.record is None:
        return ""
    values = {words: getattr(c, name) for name, words in SHOWN.items()}
    told = [f"{words}: {_text(value)}" for words, value in values.items() if value]
    data = (
        f"Data: {_data_title(c)}, at {_text(c.size)}, preset `{c.preset}`. Started from:"
        f" {source.record.start or 'not recorded'}. Seed {source.record.trial.seed}."
    )
    lines = [data, "", *(f"- {line}" for line in told)]
    if licence := _data_licence(c):
        lines += ["", f"Licence of the data, from its description: {licence}."]
    return _section("Training", lines)


def _numbers(source: Source) -> str:
    trial, row, c = source.trial, source.row, source.conditions
    if trial is None or c is None:
        why = f": {source.lacking}" if source.lacking else ""
        return _section("Numbers", [f"{NO_NUMBERS}{why}."])
    seeds = f"row {row.label!r}, {counted(len(row.measured), 'seed')}" if row else ""
    columns = [("this checkpoint", trial), *([(seeds, row)] if row else [])]
    spread = (
        " The last column is the mean over seeds with its 95 % interval in brackets." if row else ""
    )
    where = (
        f"Measured on the {_split(c)} split of {_data_title(c)} at label resolution, without"
        f" unlabelled pixels.{spread}"
    )
    head = f"| | {' | '.join(name for name, _ in columns)} |"
    lines = [where, "", head, f"|---|{'--:|' * len(columns)}"]
    values = [_values(subject) for _, subject in columns]
    for name in {name: None for each in values for name in each}:
        cells = " | ".join(each.get(name, "") for each in values)
        lines += [f"| {name} | {cells} |"]
    return _section("Numbers", lines)


def _values(subject: Subject) -> dict[str, str]:
    """Return the measurements of a trial or row by name, as text."""
    measures, found = subject.measures, dict[str, str]()
    if subject.interval:
        found["mIoU, %"] = mean_span(subject.interval)
    if measures.past:
        found["contribution of past frames, mIoU points"] = mean_span(measures.past, signed=True)
    for each in measures.consistency:
        if each.interval:
            found[f"temporal consistency `{each.preset}`, flow {each.flow}, %"] = mean_span(
                each.interval
            )
    if subject.params:
        found["parameters, million"] = millions(subject.params)
    for mode in ("clip", "stream"):
        if macs := measures.macs(mode):
            found[f"GMAC, {mode}"] = number(macs / 1e9, 3)
        if (speed := measures.speed(mode)) and speed.latency:
            threads = counted(speed.conditions.threads, "thread")
            name = f"mean latency, ms, {mode}, {speed.host.machine}, {threads}"
            found[name] = number(speed.latency.mean)
    return found


def _health(source: Source) -> str:
    subject = source.row or source.trial
    if subject is None:
        return ""
    if not subject.parts:
        return _section("Health of the parts", ["The pulse of the parts was not measured."])
    lines = [f"- {part.name}: {'live' if part.live else part.reason}" for part in subject.parts]
    return _section("Health of the parts", lines)


def _limits(source: Source) -> str:
    c, row = source.conditions, source.row
    lines: list[str] = []
    if style := source.system.style:
        lines.append(f"- Built in the style of its source: {style}.")
    if source.sidecar is None:
        lines.append("- The weights are random, so the output is meaningless.")
    if c and (c.shrink or c.shrink_options):
        lines.append(
            f"- Preset `{c.preset}` uses narrower parts than the published system; the numbers do"
            " not describe the published system."
        )
    if source.trial and (row is None or len(row.measured) < 2):
        lines.append("- Only one seed was trained; the spread between seeds is unknown.")
    if c:
        lines.append("- It was measured on one data set only.")
    return _section("Limits", lines) if lines else ""


def _use(source: Source, program: Program) -> str:
    h, w = program.size
    load = {
        ".pt2": [
            "import torch",
            "",
            f"program = torch.export.load({json.dumps(program.path.name)}).module()",
            "logits = program(torch.from_numpy(clip)).detach().numpy()",
        ],
        ".onnx": [
            "import onnxruntime",
            "",
            f"session = onnxruntime.InferenceSession({json.dumps(program.path.name)})",
            'logits = session.run(None, {"clip": clip})[0]',
        ],
    }[program.path.suffix]
    heads = [line for line in load if line.startswith("import")]
    calls = [line for line in load if line and not line.startswith("import")]
    code = [
        "import numpy as np",
        *heads,
        "",
        f"frames = np.zeros(({program.frames}, {h}, {w}, 3), np.uint8)  # RGB, newest frame last",
        f"clip = (frames / 255 - {MEAN}) / {STD}",
        "clip = clip.transpose(0, 3, 1, 2)[None].astype(np.float32)",
        *([f"clip = clip.repeat({program.batch}, 0)"] if (program.batch or 1) > 1 else []),
        *calls,
        f"labels = logits.argmax(1)  # (B, {h}, {w}): class per pixel of the newest frame",
    ]
    return _section("Use", ["```python", *code, "```"])


def _made(source: Source, program: Program) -> str:
    here = Host.here()
    version = f"{here.msaf_bench} {here.commit}".strip()
    compared = (
        f"Exported with msaf-bench {version}, torch {here.torch}. On random clips its logits differ"
        f" from the network's by at most {program.difference:.1e} of the largest logit, and"
        f" {program.agreement:.2f} % of the pixels have the same class."
    )
    lines = [compared]
    if source.sidecar and source.checkpoint:
        lines.append(
            f"Weights: `{source.checkpoint.name}`, step {source.sidecar.step}, SHA-256"
            f" `{source.sidecar.sha256}`."
        )
    if record := source.record:
        made = f"{record.host.msaf_bench} {record.host.commit}".strip()
        lines.append(
            f"Trained with msaf-bench {made}, torch {record.host.torch}, on"
            f" {record.host.machine}. Data fingerprint `{record.data}`."
        )
        if record.plugins:
            lines.append(f"Plug-ins: {', '.join(record.plugins)}.")
    return _section("Made", lines)


def _section(title: str, lines: Iterable[str]) -> str:
    return "\n".join((f"## {title}", "", *lines, ""))


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "x".join(map(str, cast("tuple[int, int]", value)))
    return str(value)


def _split(c: Conditions) -> str:
    """Name the scored split; a tuning split is part of the training data."""
    return "tuning" if c.scored == "tune" else "scored"


def _data_title(c: Conditions) -> str:
    if c.described:
        return c.described.title or c.data
    if c.data in list_data_sets()[1:]:
        return read_data_set(c.data).title or c.data
    return "street, procedural videos made by msaf-bench" if c.data == STREET else c.data


def _data_licence(c: Conditions) -> str:
    if c.described:
        return c.described.licence
    return read_data_set(c.data).licence if c.data in list_data_sets()[1:] else ""
