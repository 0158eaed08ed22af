"""CSV that a spreadsheet shows and does not run."""

import re
from collections.abc import Iterable


def csv_document(lines: Iterable[Iterable[object]]) -> str:
    """Return lines of cells, the heads first, as CSV; text, and no number, is kept from being a
    formula.
    """
    import pandas as pd  # takes a second: only to write

    frame = pd.DataFrame([[_safe(cell) for cell in line] for line in lines], dtype=object)
    return frame.to_csv(header=False, index=False, lineterminator="\n")


def _safe(cell: object) -> object:
    # A bare carriage return would not be quoted, and ends a line for many readers.
    return _text(cell).replace("\r", "\n") if isinstance(cell, str) else cell


def _text(text: str) -> str:
    """Text that a spreadsheet shows instead of running: a leading formula sign gets an apostrophe,
    unless it is that of a number.
    """
    if text == "-" or not (
        text.startswith(("\t", "\r"))
        or text.lstrip().startswith(("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}"))
    ):
        return text
    number = r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?"
    return text if re.fullmatch(number, text, re.ASCII | re.IGNORECASE) else "'" + text
