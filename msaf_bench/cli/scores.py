"""Terminal output of a split's scores, for `train` and `evaluate`."""

import math
from collections.abc import Iterator, Mapping
from typing import cast

from msaf_bench.cli.printing import print_document
from msaf_bench.documents import finite
from msaf_bench.errors import DataError

NAMES = {
    "checkpoint": "checkpoint",
    "data": "data set",
    "split": "split",
    "spacing": "frame spacing",
    "repeated": "repeated frames",
    "skipped": "clips left out",
    "seed": "seed",
    "scored_step": "weights of step",
    "images": "images",
    "flow": "optical flow",
    "void": "void pixels",
    "miou": "mIoU",
    "best_constant": "best constant prediction",
    "past": "contribution of past frames",
    "validation_miou": "mIoU on clips held out",
}  #: printed name of each key of a document; the scores come last, in their printed order
SCORES = (
    "miou",
    "best_constant",
    "past",
    "validation_miou",
)  #: keys of scores in percent; keys that begin with `tc_` are scores as well
VOID = {"ignore": "left out", "penalise": "penalised as false positives"}
WIDTH = 32  #: width of a name in columns


def print_scores(document: Mapping[str, object], *, as_json: bool) -> None:
    """Print the document of a split's scores as JSON or as text with one value per line.

    Raises `DataError` after printing if the mIoU is undefined.
    """
    shown = cast("Mapping[str, object]", finite(document))
    print_document(document, score_lines(shown), as_json=as_json)
    if math.isnan(cast("float", document["miou"])):
        undefined = cast("Mapping[str, str]", document["undefined"])
        raise DataError(
            f"no mIoU: {undefined['miou']} in the scored split; check it with"
            " `msaf-bench data check`"
        )


def score_lines(document: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of a document: overall and per-class scores, then the conditions.

    Scores are in percent with two decimals.
    """
    consistency = {
        key: f"temporal consistency, {key.removeprefix('tc_')}"
        for key in document
        if key.startswith("tc_")
    }
    scores = {key: NAMES[key] for key in SCORES if key in document}
    for key, name in (scores | consistency).items():
        yield _score(name, document[key], "points" if key == "past" else "%")
    yield from ("", f"{'class':<{WIDTH}}{'IoU':>8}")
    for name, iou in cast("Mapping[str, object]", document["per_class"]).items():
        yield _score(name, iou, "%")
    yield ""
    for key, name in NAMES.items():
        if key in document and key not in SCORES:
            value = document[key]
            yield f"{name:<18}{VOID.get(str(value), value) if key == 'void' else value}"


def _score(name: str, value: object, unit: str) -> str:
    return f"{name:<{WIDTH}}" + (
        f"{value:8.2f} {unit}" if isinstance(value, int | float) else f"{'-':>8}"
    )
