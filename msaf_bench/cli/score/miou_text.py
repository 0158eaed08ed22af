"""Terminal output of `msaf-bench score miou`."""

import textwrap
from collections.abc import Iterator, Sequence

from msaf_bench.analyzers.miou import Void
from msaf_bench.analyzers.miou_score import MiouScore

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


def miou_lines(score: MiouScore, files: Sequence[str] = ()) -> Iterator[str]:
    """Yield the lines of a score, up to 100 columns: scores, classes, rules, control, notes."""
    sizes = ", ".join(f"{n} of {h}x{w}" for (h, w), n in sorted(score.counts.sizes.items()))
    bad = score.counts.bad
    if bad:
        yield f"PARTIAL SCORE: {len(bad)} files left out, listed below"
    if score.incomplete:
        yield from _wrapped(f"PARTIAL SCORE: {score.incomplete}")
    yield (
        f"mIoU {_score(score.miou)} %   class accuracy {_score(score.class_accuracy)} %   pixel"
        f" accuracy {_score(score.pixel_accuracy)} %"
    )
    yield f"images: {sizes} (H x W), scored at the size of the label maps"
    if score.data:
        yield f"truth: {score.data}"
    yield ""
    yield from (*_classes(score), "", *_rules(score))
    name, constant = score.constant
    yield f"control: mIoU {_score(constant)} if every pixel is predicted as {name}"
    for note in score.notes:
        yield from _wrapped(f"note: {note}")
    for each in bad[:BAD_SHOWN]:
        yield f"bad: {each.why}"
    if len(bad) > BAD_SHOWN:
        yield f"bad: and {len(bad) - BAD_SHOWN} more; --json lists all"
    yield from (f"wrote {path}" for path in files)


def _rules(score: MiouScore) -> Iterator[str]:
    other: Void = "penalise" if score.void == "ignore" else "ignore"
    rule = (
        f"void = {score.void}: {VOID_RULES[score.void]} ({other}: mIoU"
        f" {_score(score.miou_under(other))})"
    )
    yield from _wrapped(
        f"{rule}; they are {score.void_pixels:,} pixels, {_share(score.void_pixels, score)} of all"
    )
    missed = score.class_predicted_void
    yield from _wrapped(
        "void predictions on labelled pixels count as misses of the true class:"
        f" {missed:,} pixels, {_share(missed, score)} of all"
    )
    left = f"; left out: {', '.join(score.left_out)}" if score.left_out else ""
    yield from _wrapped(
        f"absent = {score.absent}: {ABSENT_RULES[score.absent]}; the mean is over"
        f" {len(score.classes.names) - len(score.left_out)} classes{left}"
    )


def _classes(score: MiouScore) -> Iterator[str]:
    width = max(16, *(len(name) for name in score.classes.names))
    yield f"{'class':<{width}}{'IoU %':>9}{'accuracy %':>12}{'true pixels':>16}{'predicted':>16}"
    true, predicted = score.confusion.sum(1), score.confusion.sum(0)
    for index, (name, iou) in enumerate(score.per_class.items()):
        scores = f"{_score(iou):>9}{_score(score.per_class_accuracy[name]):>12}"
        yield f"{name:<{width}}{scores}{true[index]:>16,}{predicted[index]:>16,}"


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _share(pixels: int, score: MiouScore) -> str:
    return f"{100 * pixels / max(1, int(score.confusion.sum())):.2f} %"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 98, subsequent_indent="  ")
