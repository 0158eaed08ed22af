"""`msaf-bench score tc` as text for a terminal."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

CONTROLS = {
    "truth": "the true label maps",
    "constant": "one class everywhere",
    "no_warp": "the predictions without any warp",
    "frames": "the colour frames",
}
SHOWN = 10  #: videos


def as_text(documents: Sequence[dict[str, Any]], whole: dict[str, Any]) -> Iterator[str]:
    """Lines of up to 100 columns: each preset with its controls, then what all of them hold
    under.
    """
    for d in documents:
        yield from (*_preset(d), "")
    d = documents[0]
    steps = " to ".join(f"{step:.10g}" for step in d["steps"]) or "not numbered"
    occlusion = "" if d["flow"] == "none" else f"; occlusion, where it is masked: {d['occlusion']}"
    yield from _wrapped(f"flow: {d['flow']} ({d['flow_made_by']}){occlusion}")
    yield (
        f"{d['frames']} frames, {d['classes']} classes; distance of a pair's frame numbers: {steps}"
    )
    about = d["numbering"]
    read = "".join(f"; {key} is {number}" for key, number in about["read"].items())
    yield from _wrapped(
        f"frames numbered as {' and '.join(about['patterns'][:4])} ({about['kind']}){read}"
    )
    for note in d["notes"]:
        yield from _wrapped(f"note: {note}")
    yield from (f"wrote {path}" for path in whole.get("files", ()))


def _preset(d: dict[str, Any]) -> Iterator[str]:
    value = _score(d, d["tc"]) if d["tc"] is not None else f"n/a: {d['reason']}"
    yield f"{d['preset']:<12}{value}" + (
        f"   {d['unit']}, {d['better']} is better; {d['pairs']} {d['counted']}"
        if d["tc"] is not None
        else ""
    )
    if d["constant"]:
        yield (
            "  constant: the prediction is one class wherever it has a vote, whatever the video"
            " shows"
        )
    if d["votes"] is not None:
        agreement = "" if d["agreement"] is None else f"; {d['agreement']:.2f} % of the votes agree"
        yield f"  {d['votes']:.2f} % of the pixels have a vote{agreement}"
    for name, control in d["controls"].items():
        yield f"  {_score(d, control):>8}  {CONTROLS[name]}"
    classes = [f"{name} {iou:.1f}" for name, iou in d["per_class"].items() if iou is not None]
    if classes:
        yield from _wrapped("  by class: " + ", ".join(classes))
    if len(d["per_video"]) > 1:
        videos = [f"{video['first']} {_score(d, video['tc'])}" for video in d["per_video"]]
        more = f", and {len(videos) - SHOWN} more" if len(videos) > SHOWN else ""
        yield from _wrapped("  by video: " + ", ".join(videos[:SHOWN]) + more)
    yield from _wrapped(f"  {'legacy: ' if d['legacy'] else ''}{d['about']}")


def _score(d: dict[str, Any], value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if d["unit"] == "percent" else f"{value:.6f}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, 100, subsequent_indent="    ", initial_indent="  " * text.startswith("  ")
    )
