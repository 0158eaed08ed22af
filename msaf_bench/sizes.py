"""Parsing of sizes, HxW, and of lists of sizes."""

import re
from collections.abc import Callable
from reprlib import repr as shortened
from typing import TypeVar

from msaf_bench.errors import UsageError
from msaf_bench.spec import LONGEST_SIDE

T = TypeVar("T")

MOST_SIZES = 100  #: maximum length of a list


def parse_size(text: str, option: str = "--size", *, most: int = LONGEST_SIDE) -> tuple[int, int]:
    """Return (H, W) of a text such as "1024x2048".

    Raises `UsageError`, naming the `option`, if the text is not a size or a side exceeds `most`, by
    default the longest side of a frame in pixels.
    """
    match = re.fullmatch(r"([0-9]{1,18})[xX]([0-9]{1,18})", text.strip())
    h, w = map(int, match.groups()) if match else (0, 0)
    if not h * w:
        raise UsageError(
            f"{option}: {shortened(text)} is not a size; write HxW, such as 512x1024, at least 1x1"
        )
    if max(h, w) > most:
        raise UsageError(f"{option}: {text} has a side longer than {most:,}; choose a smaller size")
    return h, w


def parse_list(text: str, parse: Callable[[str], T], option: str) -> list[T]:
    """Parse each part of a comma-separated list.

    Raises `UsageError` for more than `MOST_SIZES` parts.
    """
    parts = text.split(",")
    if len(parts) > MOST_SIZES:
        raise UsageError(f"{option}: {len(parts):,} sizes; give at most {MOST_SIZES}")
    return [parse(part) for part in parts]
