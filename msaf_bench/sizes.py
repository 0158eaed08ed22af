"""Sizes as text: HxW, and lists of them."""

import re
from collections.abc import Callable
from reprlib import repr as shortened
from typing import TypeVar

from msaf_bench.errors import UsageError
from msaf_bench.spec import LONGEST_SIDE

T = TypeVar("T")

MOST_SIZES = 100  #: in one list


def parse_size(text: str, option: str = "--size", *, most: int = LONGEST_SIDE) -> tuple[int, int]:
    """Return (H, W) of "1024x2048". Raises `UsageError` for anything else, and for a side of more
    than `most`, by default the longest side of a frame. `option` names the text in the error.
    """
    match = re.fullmatch(r"([0-9]{1,18})[xX]([0-9]{1,18})", text.strip())
    h, w = map(int, match.groups()) if match else (0, 0)
    if not h * w:
        raise UsageError(
            f"{option}: {shortened(text)} is not a size; write HxW from 1x1 on, as in 512x1024"
        )
    if max(h, w) > most:
        raise UsageError(
            f"{option}: {text} has a side of more than {most:,}; no frame has a longer one"
        )
    return h, w


def parse_list(text: str, parse: Callable[[str], T], option: str) -> list[T]:
    """Return what `parse` reads in each part between commas. Raises `UsageError` for more than
    `MOST_SIZES` parts.
    """
    parts = text.split(",")
    if len(parts) > MOST_SIZES:
        raise UsageError(f"{option}: {len(parts):,} sizes; give at most {MOST_SIZES}")
    return [parse(part) for part in parts]
