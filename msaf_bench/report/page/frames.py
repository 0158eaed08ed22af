"""Frames, ground truth and predictions as pictures inside a page."""

import base64
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from msaf_bench.report.figures.strip import Picture, Strip, frame_iou

COLOURS = 64  #: size of the palette of label maps, which have fewer classes


@dataclass(frozen=True)
class Prediction:
    """Prediction of one row for one frame."""

    label: str
    source: str  #: the picture as a data URI
    iou: float | None  #: mean over the classes of the frame in percent; None without any


@dataclass(frozen=True)
class Frame:
    """One frame with its ground truth and all predictions, as data URIs."""

    name: str
    source: str
    truth: str
    predictions: tuple[Prediction, ...]


def frames_of(strip: Strip) -> tuple[Frame, ...]:
    """Return the frames of a strip as data URIs, with the IoU of each prediction."""
    from msaf_bench.data.labels.classes import colourise  # slow to import

    classes = len(strip.class_names)
    return tuple(
        Frame(
            name=name,
            source=_photo(strip.frames[i]),
            truth=_map(colourise(strip.truths[i], strip.colours)),
            predictions=tuple(
                Prediction(
                    label,
                    _map(colourise(labels[i], strip.colours)),
                    frame_iou(strip.truths[i], labels[i], classes),
                )
                for label, labels in strip.predictions.items()
            ),
        )
        for i, name in enumerate(strip.names)
    )


def _photo(picture: Picture) -> str:
    return _uri(picture, "WEBP")


def _map(picture: NDArray[np.uint8]) -> str:
    return _uri(picture, "PNG")


def _uri(picture: NDArray[np.uint8], kind: str) -> str:
    from PIL import Image

    image = Image.fromarray(picture)
    file = BytesIO()
    if kind == "PNG":
        image.quantize(COLOURS).save(file, kind, optimize=True)
    else:
        image.save(file, kind, quality=85)
    content = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{content}"
