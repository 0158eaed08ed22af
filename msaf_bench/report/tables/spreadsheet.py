"""CSV that a spreadsheet shows and does not run."""

import csv
import io
import re
from collections.abc import Iterable


def csv_document(lines: Iterable[Iterable[object]]) -> str:
    """Return lines of cells as CSV; text, and no number, is kept from being a formula."""
    file = io.StringIO()
    # A bare carriage return would not be quoted, and ends a line for many readers.
    safe = ([_safe(cell) for cell in line] for line in lines)
    csv.writer(file, lineterminator="\n").writerows(safe)
    return file.getvalue()


def _safe(cell: object) -> object:
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
