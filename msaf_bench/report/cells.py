"""How numbers, conditions and foreign text become cells: one place for digits, signs and
escaping.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence

from msaf_bench.catalog import family_of
from msaf_bench.findings.summary import Summary
from msaf_bench.stats import Interval

MINUS, NONE = "\N{MINUS SIGN}", "\N{EN DASH}"

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    MINUS: "$-$",
    "\N{MICRO SIGN}": r"\textmu{}",
    "≈": r"$\approx$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    **{sign: "\\" + sign for sign in "{}$&#_%"},
    "[": "{[}",  # at the start of a line it would be read as the option of the line break before it
    "]": "{]}",
}


def number(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """`value` with `digits` decimals and a true minus sign; an en dash for None and NaN."""
    if value is None or math.isnan(value):
        return NONE
    return f"{value:{'+' if signed else ''},.{digits}f}".replace("-", MINUS)


def span(interval: Interval | None, digits: int = 2, *, signed: bool = False) -> str:
    """The bounds of an interval, "low to high"; an en dash where there are none."""
    if interval is None or interval.low is None:
        return NONE
    return (
        f"{number(interval.low, digits, signed=signed)} to"
        f" {number(interval.high, digits, signed=signed)}"
    )


def mean_span(interval: Interval | None, *, signed: bool = False) -> str:
    """The mean with the bounds in brackets, "mean (low to high)"; an en dash for none."""
    mean = number(interval and interval.mean, signed=signed)
    return (
        mean
        if interval is None or interval.low is None
        else f"{mean} ({span(interval, signed=signed)})"
    )


def p_value(p: float | None) -> str:
    """Three decimals, and never 0."""
    return NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def millions(params: int | None) -> str:
    """A number of parameters in millions."""
    return NONE if params is None else f"{params / 1e6:.3f}"


def _csv_text(text: str) -> str:
    """Text that a spreadsheet shows instead of running: a leading formula sign gets an apostrophe,
    unless it is that of a number.
    """
    if text == "-" or not (
        text.startswith(("\t", "\r"))
        or text.lstrip().startswith(("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}"))
    ):
        return text
    return (
        text
        if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.ASCII | re.IGNORECASE)
        else "'" + text
    )


def csv_document(lines: Iterable[Iterable[object]]) -> str:
    """Lines of cells as CSV; text, and no number, is kept from being a formula."""
    file = io.StringIO()
    # A bare carriage return would not be quoted, and ends a line for many readers.
    safe = (
        [_csv_text(cell).replace("\r", "\n") if isinstance(cell, str) else cell for cell in line]
        for line in lines
    )
    csv.writer(file, lineterminator="\n").writerows(safe)
    return file.getvalue()


def pipes(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(map(markdown_text, cells)) + " |"


def markdown_text(text: str) -> str:
    """Text that stays text, on one line and in one cell of a Markdown table."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", flat)


def latex_text(text: str) -> str:
    """Text that LaTeX sets as it is, on one line."""
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))


def seed_list(seeds: Sequence[int]) -> str:
    """The seeds in words: "seeds 0 to 4", "seed 3" or "seeds 0, 2, 7"."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def simultaneous(summary: Summary) -> str:
    """How intervals and p values of the comparisons of a table are to be read."""
    family = family_of(summary.table)
    together = (
        f"95 % intervals that hold together for all {family} comparisons"
        if family > 1
        else "a 95 % interval"
    )
    return f"{together}, p of the same paired t test (below 0.05 where the interval excludes zero)"


def spread_of(summary: Summary) -> str:
    """What differs between two seeds of a row, and so what the intervals over seeds hold for."""
    own = dict(summary.conditions.data_options).get("own_videos")
    videos = (
        "each seed draws its own training videos" if own else "all seeds train on the same data"
    )
    backbone = ", from one pre-trained backbone" if summary.conditions.pretrain_steps else ""
    return f"{videos}{backbone}"


def made_how(summary: Summary) -> str:
    """One line that says how the numbers were made: watermark, data, preset, seeds, host."""
    c, hosts = summary.conditions, summary.hosts
    if len(hosts) == 1:
        (only,) = hosts
        host = (
            f"host {only.cpu if only.device == 'cpu' else only.device}, {only.threads}"
            f" thread{'s' * (only.threads > 1)}, torch {only.torch}"
        )
    else:
        host = f"{len(hosts)} hosts or versions" if hosts else "no record yet"
    changed = [f"{slot} {choice}" for slot, choice in c.shrink] + [
        f"{name} {value}" for name, value in c.shrink_options
    ]
    network = f"network shrunk to {', '.join(changed)}" if changed else ""
    if changed and not summary.table.base:  # a stand-in for every part by name: too many for a line
        network = "networks shrunk part by part"
    parts = (
        c.watermark,
        f"data {c.data}",
        f"preset {c.preset}",
        network,
        f"{seed_list(summary.seeds)} ({spread_of(summary)})",
        host,
    )
    return " · ".join(part for part in parts if part)


def made_and_noted(summary: Summary) -> str:
    """How the numbers were made, as a sentence, and then every note on the run."""
    return " ".join((made_how(summary) + ".", *summary.notes))
