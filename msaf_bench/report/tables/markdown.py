"""GitHub Markdown shared by all reports: head, controls, effects and pulse."""

import re
from collections.abc import Iterable, Sequence

from msaf_bench.findings.digits import mean_span
from msaf_bench.findings.subjects import Subject
from msaf_bench.report.tables.controls import control_heads, control_legend, control_texts
from msaf_bench.report.tables.pulse import TITLE
from msaf_bench.report.tables.tuning import HEADS as TUNING_HEADS
from msaf_bench.report.tables.tuning import TITLE as TUNING_TITLE
from msaf_bench.report.tables.tuning import VERDICT_HEADS
from msaf_bench.report.tables.validation import HEADS
from msaf_bench.report.tables.validation import TITLE as VALIDATION_TITLE
from msaf_bench.report.view import View


def pipes(cells: Iterable[str]) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(map(markdown_text, cells)) + " |"


def markdown_text(text: str) -> str:
    """Return text with Markdown's special characters escaped, on one line for a table cell."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", flat)


def bullets(lines: Iterable[str]) -> list[str]:
    """Return an empty line, followed by a bulleted list."""
    return ["", *(f"- {markdown_text(line)}" for line in lines)]


def markdown_head(view: View) -> list[str]:
    """Return title, conditions, watermark, notes and answers."""
    summary, answers = view.summary, view.answers
    lines = [f"**{markdown_text(answers.title)}** · {markdown_text(view.made_how)}", ""]
    if summary.conditions.watermark:
        lines += [f"> **{markdown_text(summary.conditions.watermark)}**", ""]
    for note in summary.notes:
        lines += [f"> {markdown_text(note)}", ""]
    said = [*answers.sentences, answers.motion.sentence, *answers.trust]
    return [*lines, *bullets(said)[1:], ""]


def markdown_second(view: View, subjects: Sequence[Subject]) -> list[str]:
    """Return the second table; empty without columns."""
    if not view.second:
        return []
    return [
        "",
        pipes(["Row", *(column.head for column in view.second)]),
        "|---|" + "--:|" * len(view.second),
        *(
            pipes([subject.shown, *(column.text(subject) for column in view.second)])
            for subject in subjects
        ),
    ]


def markdown_controls(view: View) -> list[str]:
    """Return the controls in a separate table with its legend."""
    summary = view.summary
    if not summary.controls:
        return []
    heads = control_heads(summary)
    return [
        "",
        "**Controls**",
        "",
        pipes(heads),
        "|---|---|---|" + "--:|" * (len(heads) - 4) + "---|",
        *(pipes(control_texts(summary, control)) for control in summary.controls),
        *bullets(control_legend(summary)),
    ]


def markdown_effects(view: View) -> list[str]:
    """Return effects and Shapley values; empty unless the design is a complete factorial."""
    summary = view.summary
    if not summary.effects:
        return []
    shares = {share.factors: mean_span(share.interval, signed=True) for share in summary.shares}
    rows = [
        (" x ".join(e.factors), mean_span(e.interval, signed=True), shares.get(e.factors, ""))
        for e in summary.effects
    ]
    return [
        "",
        "**Effects of the parts**, in points of mIoU, with simultaneous intervals",
        "",
        pipes(("Part", "effect", "Shapley value")),
        "|---|--:|--:|",
        *map(pipes, rows),
    ]


def markdown_validation(view: View) -> list[str]:
    """Return the validation during training with its legend; empty without any."""
    table = view.validation
    if table is None:
        return []
    return [
        "",
        f"**{VALIDATION_TITLE}**, {table.kept}",
        "",
        pipes(HEADS),
        "|---|--:|--:|--:|",
        *map(pipes, table.texts()),
        *bullets(table.legend),
    ]


def markdown_tuning(view: View) -> list[str]:
    """Return rows and verdicts before and after tuning; empty without tuning."""
    table = view.tuning
    if table is None:
        return []
    return [
        "",
        f"**{TUNING_TITLE}**, mIoU in percent",
        "",
        pipes(TUNING_HEADS),
        "|---|--:|--:|--:|--:|---|--:|--:|",
        *map(pipes, table.texts()),
        "",
        pipes(VERDICT_HEADS),
        "|---|---|---|",
        *map(pipes, table.verdicts()),
        *bullets(table.legend),
    ]


def markdown_pulse(view: View) -> list[str]:
    """Return the pulse of the parts with its legend; empty without a pulse."""
    table = view.pulse
    if table is None:
        return []
    return [
        "",
        f"**{TITLE}**",
        "",
        pipes(("Row", *table.parts)),
        "|---|" + "---|" * len(table.parts),
        *map(pipes, table.texts()),
        *bullets(table.legend),
    ]
