"""`msaf-bench score miou` as text for a terminal."""

import textwrap
from collections.abc import Iterator
from typing import Any

VOID_RULES = {
    "ignore": "pixels that are void in the truth are left out",
    "penalise": (
        "pixels that are void in the truth are false positives of the class predicted there"
    ),
}
ABSENT_RULES = {
    "skip": "a class without a score is left out of the mean",
    "zero": "a class without a score is 0 in the mean",
}
BAD_SHOWN = 20


def as_text(d: dict[str, Any]) -> Iterator[str]:
    """Lines of up to 100 columns: the scores, each class, the rules, the control, what was
    noticed.
    """
    sizes = ", ".join(f"{n} of {size}" for size, n in d["resolutions"].items())
    if d["partial"]:
        yield f"PARTIAL SCORE: {len(d['bad'])} left out, listed below"
    yield (
        f"mIoU {_score(d['miou'])} %   class accuracy {_score(d['class_accuracy'])} %   pixel"
        f" accuracy {_score(d['pixel_accuracy'])} %"
    )
    yield from (f"images: {sizes} (H x W), scored at the size of the label maps", "")
    yield from _classes(d)
    yield ""
    other = {"ignore": "penalise", "penalise": "ignore"}[d["void"]]
    rule = (
        f"void = {d['void']}: {VOID_RULES[d['void']]} ({other}: mIoU"
        f" {_score(d['miou_by_void_rule'][other])})"
    )
    yield from _wrapped(
        f"{rule}; they are {d['pixels']['void']:,} pixels, {_share(d['pixels']['void'], d)} of all"
    )
    missed = (
        "void predicted where the truth is a class is a miss of that class:"
        f" {d['pixels']['class_predicted_void']:,} pixels"
    )
    yield from _wrapped(f"{missed}, {_share(d['pixels']['class_predicted_void'], d)} of all")
    left = f"; left out: {', '.join(d['classes_left_out'])}" if d["classes_left_out"] else ""
    yield from _wrapped(
        f"absent = {d['absent']}: {ABSENT_RULES[d['absent']]}; the mean is over"
        f" {d['classes_in_mean']} classes{left}"
    )
    constant = d["controls"]["best_constant"]
    yield f"control: {constant['class']} everywhere has mIoU {_score(constant['miou'])}"
    for note in d["notes"]:
        yield from _wrapped(f"note: {note}")
    for bad in d["bad"][:BAD_SHOWN]:
        yield f"bad: {bad['why']}"
    if len(d["bad"]) > BAD_SHOWN:
        yield f"bad: and {len(d['bad']) - BAD_SHOWN} more; --json lists all"
    yield from (f"wrote {path}" for path in d.get("files", ()))


def _classes(d: dict[str, Any]) -> Iterator[str]:
    width = max(16, *(len(name) for name in d["per_class"]))
    yield f"{'class':<{width}}{'IoU %':>9}{'accuracy %':>12}{'true pixels':>16}{'predicted':>16}"
    predicted = [sum(column) for column in zip(*d["confusion"], strict=True)]
    for index, (name, iou) in enumerate(d["per_class"].items()):
        scores = f"{_score(iou):>9}{_score(d['per_class_accuracy'][name]):>12}"
        yield f"{name:<{width}}{scores}{sum(d['confusion'][index]):>16,}{predicted[index]:>16,}"


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(pixels: int, d: dict[str, Any]) -> str:
    return f"{100 * pixels / max(1, d['pixels']['class'] + d['pixels']['void']):.2f} %"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 98, subsequent_indent="  ")
