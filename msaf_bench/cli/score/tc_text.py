"""Terminal output of `msaf-bench score tc`."""

import textwrap
from collections.abc import Iterator, Sequence

from msaf_bench.analyzers.consistency.presets import Preset
from msaf_bench.analyzers.consistency.tc_score import TcResult, TcScore

CONTROLS = {
    "truth": "the true label maps",
    "constant": "one class everywhere",
    "no_warp": "the predictions without any warp",
    "frames": "the colour frames",
}
SHOWN = 10  #: maximum number of videos in a line


def consistency_lines(score: TcScore, files: Sequence[str] = ()) -> Iterator[str]:
    """Yield the lines of a score, up to 100 columns: presets with controls, then conditions."""
    conditions = score.conditions
    for result in score.results:
        yield from (*_preset(result), "")
    frames = conditions.frames
    steps = " to ".join(f"{step:.10g}" for step in frames.neighbours.steps) or "not numbered"
    occlusion = f"; occlusion mask, if used: {conditions.occlusion}"
    if conditions.flow == "none":
        occlusion = ""
    yield from _wrapped(f"flow: {conditions.flow} ({conditions.flow_made_by}){occlusion}")
    yield (
        f"{len(frames.keys)} frames, {frames.classes.name} classes; distance between the frame"
        f" numbers of a pair: {steps}"
    )
    if frames.data:
        yield f"frames of {frames.data}"
    about = frames.neighbours.describe(frames.keys)
    read = "".join(f"; {key} is {number}" for key, number in about["read"].items())
    yield from _wrapped(
        f"frames numbered as {' and '.join(about['patterns'][:4])} ({about['kind']}){read}"
    )
    for result in score.results:
        kind = " (legacy)" if result.preset.legacy else ""
        yield from _wrapped(f"{result.score.preset}{kind}: {result.preset.about}")
    for note in conditions.notes:
        yield from _wrapped(f"note: {note}")
    yield from (f"wrote {path}" for path in files)


def _preset(result: TcResult) -> Iterator[str]:
    score, preset = result.score, result.preset
    if score.value is None:
        yield f"{score.preset:<12}n/a: {score.reason}"
    else:
        yield (
            f"{score.preset:<12}{_score(preset, score.value)}   {preset.unit}, {preset.better} is"
            f" better; {score.pairs} {result.counted}"
        )
    if result.constant:
        yield ("  constant: the prediction is the same class at every pixel with a vote")
    if score.votes is not None:
        agreement = ""
        if score.agreement is not None:
            agreement = f"; {score.agreement:.2f} % of the votes agree"
        yield f"  {score.votes:.2f} % of the pixels have a vote{agreement}"
    for name, control in score.controls.items():
        yield f"  {_score(preset, control):>8}  {CONTROLS[name]}"
    classes = [f"{name} {iou:.1f}" for name, iou in result.per_class.items() if iou is not None]
    if classes:
        yield from _wrapped("  by class: " + ", ".join(classes))
    if len(result.per_video) > 1:
        videos = [f"{video.first} {_score(preset, video.tc)}" for video in result.per_video]
        more = f", and {len(videos) - SHOWN} more" if len(videos) > SHOWN else ""
        yield from _wrapped("  by video: " + ", ".join(videos[:SHOWN]) + more)


def _score(preset: Preset, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if preset.unit == "percent" else f"{value:.6f}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, 100, subsequent_indent="    ", initial_indent="  " if text.startswith("  ") else ""
    )
