"""CSV that a spreadsheet shows as text and never runs as formulas."""

import re
from collections.abc import Iterable


def csv_document(lines: Iterable[Iterable[object]]) -> str:
    """Return lines of cells, with the heads first, as CSV; text is never read as a formula."""
    import pandas as pd  # slow to import, so only here

    frame = pd.DataFrame([[_safe(cell) for cell in line] for line in lines], dtype=object)
    return frame.to_csv(header=False, index=False, lineterminator="\n")


def _safe(cell: object) -> object:
    # pandas does not quote a bare carriage return, which ends a line for many readers.
    return _text(cell).replace("\r", "\n") if isinstance(cell, str) else cell


def _text(text: str) -> str:
    """Return text with an apostrophe before a leading formula sign, unless it is a number."""
    if text == "-" or not (
        text.startswith(("\t", "\r"))
        or text.lstrip().startswith(("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}"))
    ):
        return text
    number = r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?"
    return text if re.fullmatch(number, text, re.ASCII | re.IGNORECASE) else "'" + text
