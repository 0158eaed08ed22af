"""The columns of every CSV of a report: name, unit and meaning.

`{preset}` stands for a preset of temporal consistency, `{part}` for a column of the printed table
that ticks a part, `{class}` for a class.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple


class Field(NamedTuple):
    """A column of a CSV."""

    name: str
    unit: str  #: empty for text and for plain counts
    meaning: str

    def describes(self, column: str, stands_for: dict[str, Iterable[str]]) -> bool:
        """Return whether it is the field of a column; `stands_for` has the words in braces."""
        pattern = re.escape(self.name)
        for word, values in stands_for.items():
            choice = "|".join(map(re.escape, values)) or "(?!)"
            pattern = pattern.replace(re.escape(f"{{{word}}}"), f"(?:{choice})")
        return re.fullmatch(pattern, column) is not None


ROW = Field("row", "", "label of the row; below the rows of the table, of its controls")
STYLE = Field("in_style_of_source", "", "why a row is only in the style of its source; else empty")
LAST = (
    Field("watermark", "", "what the preset says of its own results; empty: nothing"),
    Field("notes", "", "what a reader must know of the run"),
)
MIOU = (
    Field("measured_miou", "%", "mIoU, mean over seeds"),
    Field("sd", "points", "standard deviation of the mIoU over seeds"),
    Field("ci_low", "%", "lower end of the 95 % interval of the mIoU over seeds"),
    Field("ci_high", "%", "upper end of it"),
    Field("seeds", "", "finished seeds"),
)
DIFFERENCE = (
    Field("difference", "points", "mIoU minus that of the reference row, paired by seed"),
    Field("diff_low", "points", "lower end of its interval, simultaneous for the table"),
    Field("diff_high", "points", "upper end of it"),
    Field("p", "", "p of the paired t test, adjusted for the table"),
)
BESIDE = (
    Field("images_low", "%", "lower end of the 95 % interval of the mIoU for other frames"),
    Field("images_high", "%", "upper end of it"),
    Field("ahead", "", "share of draws of frames in which the row beats the reference row, 0 to 1"),
    Field("tc_{preset}", "%", "temporal consistency under the preset, mean over seeds"),
    Field("tc_{preset}_low", "%", "lower end of its 95 % interval over seeds"),
    Field("tc_{preset}_high", "%", "upper end of it"),
    Field("tc_{preset}_no_warp", "%", "the same predictions under the preset without any warp"),
    Field("past", "points", "mIoU minus the mIoU with the newest frame repeated"),
    Field("past_low", "points", "lower end of its 95 % interval over seeds"),
    Field("past_high", "points", "upper end of it"),
    Field("macs_clip", "MAC", "multiply-accumulates of a result, all frames of the window"),
    Field("macs_stream", "MAC", "multiply-accumulates of a result, one more frame"),
    Field("ms_clip", "ms", "median latency of a result, all frames of the window"),
    Field("ms_stream", "ms", "median latency of a result, one more frame"),
    Field("fps_clip", "1/s", "1000 / mean latency, all frames of the window"),
    Field("fps_stream", "1/s", "1000 / mean latency, one more frame"),
)
MADE = (
    Field("params", "", "parameters of the network as run"),
    Field("live", "", "1: every part is live, 0: one is not; empty: no pulse was taken"),
    Field("dead_parts", "", "the parts that are not live"),
    Field("kind", "", "row, or the role of a control"),
    Field("state", "", "outcome of the trials: done, partial, failed, missing or only printed"),
    Field("data", "", "data set"),
    Field("preset", "", "preset of the conditions"),
    Field("conditions", "", "hash of all conditions; equal only where they are"),
)
SYSTEM = (
    Field("model", "", "the system as the paper calls it"),
    Field("backbone", "", "its backbone in the printed table"),
    Field("block", "", "block of the printed table"),
    STYLE,
)
COUNTED = (
    Field("ms_key", "ms", "median latency of the first frame of the system's cycle, stream"),
    Field("ms_other", "ms", "mean of the other frames' medians"),
    Field("peak_mib", "MiB", "peak memory while frames run, stream"),
    Field("published_macs_clip", "MAC", "of the system as published: all frames of the window"),
    Field("published_macs_stream", "MAC", "of the system as published: mean over a cycle"),
    Field("published_macs_key", "MAC", "of the system as published: first frame of the cycle"),
    Field("published_macs_other", "MAC", "of the system as published: mean of the other frames"),
    Field("published_params", "", "parameters of the system as published"),
    Field("published_live_mib", "MiB", "live activations of the system as published"),
    Field("published_size", "px", "height x width that these are counted at"),
    Field("uncounted", "", "what is computed and not counted"),
)
PRINTED = (
    Field("published_miou", "%", "mIoU of val that the paper prints"),
    Field("published_miou_test", "%", "mIoU of test that the paper prints"),
    Field("published_tc", "%", "temporal consistency that the paper prints"),
    Field("published_fps", "1/s", "FPS that the paper prints"),
    Field("published_daggers", "", "metrics whose printed number was made otherwise"),
)
FRONTS = (
    Field("front_speed", "", "1: nothing measured here beats it in mIoU and FPS together"),
    Field("front_consistency", "", "1: nothing measured here beats it in mIoU and TC together"),
)
#: File, as its name goes on behind the table's, to its fields.
SCHEMA: dict[str, tuple[Field, ...]] = {
    "TABLE.csv, variants of one system": (
        ROW,
        Field("{part}", "", "1: the row has the part, 0: it has not"),
        PRINTED[0],
        *MIOU,
        *DIFFERENCE,
        *BESIDE,
        *MADE,
        *LAST,
    ),
    "TABLE.csv, whole systems": (
        ROW,
        *SYSTEM,
        *MIOU,
        *COUNTED,
        *PRINTED,
        *FRONTS,
        *BESIDE,
        *MADE,
        *LAST,
    ),
    "TABLE_per_class.csv": (
        ROW,
        STYLE,
        Field("{class}", "%", "IoU of the class, mean over seeds; empty: it never occurs"),
        Field("{class}_sd", "points", "its standard deviation over seeds"),
        *LAST,
    ),
    "TABLE_agreement.csv": (
        Field("ours", "", "our order: by which measurement"),
        Field("paper", "", "the paper's order: by which printed number"),
        Field("rows", "", "comparable: the system itself, alive, without dagger; all"),
        Field("n", "", "rows that have both numbers"),
        Field("tau_b", "", "Kendall's tau-b of the two orders, -1 to 1"),
        Field("low", "", "lower end of its 95 % interval, rows drawn again"),
        Field("high", "", "upper end of it"),
        Field("p", "", "two-sided p, by permuting the rows"),
        Field("verdict", "", "agrees, reversed, undecided or not comparable"),
        *LAST,
    ),
    "TABLE_claims.csv": (
        Field("id", "", "name of the claim"),
        Field("scope", "", "run: our records against the paper; paper: the paper against itself"),
        Field("kind", "", "cell, ordering, or how a sentence is checked"),
        Field("text", "", "the claim"),
        Field("place", "", "where the paper makes it"),
        Field("provenance", "", "how the printed numbers were made, where it is known"),
        Field("printed", "", "what the paper prints or says"),
        Field("measured", "", "what our records, or the paper's own numbers, say"),
        Field("verdict", "", "the verdict"),
        Field("reason", "", "why it is that"),
        *LAST,
    ),
    "STUDY.csv, a table over an axis": (
        Field("axis", "", "the condition that varies"),
        Field("value", "", "its value"),
        Field("row", "", "label of the row or control"),
        Field("kind", "", "row, or the role of a control"),
        Field("state", "", "outcome of the trials: done, partial, failed or missing"),
        Field("live", "", "True: every part is live, False: one is not"),
        Field("seeds", "", "finished seeds"),
        Field("miou", "%", "mIoU, mean over seeds"),
        Field("miou_low", "%", "lower end of its 95 % interval"),
        Field("miou_high", "%", "upper end of it"),
        Field("past", "points", "mIoU minus the mIoU with the newest frame repeated"),
        Field("past_low", "points", "lower end of its 95 % interval"),
        Field("past_high", "points", "upper end of it"),
        Field("gain", "points", "mIoU minus that of the row that reads one frame"),
        Field("gain_low", "points", "lower end of its 95 % interval, by itself"),
        Field("gain_high", "points", "upper end of it"),
        Field("p", "", "p of the gain, adjusted for the whole study"),
        Field("decision", "", "above, below, same or undecided, for the whole study together"),
        Field("conditions", "", "hash of all conditions"),
        *LAST,
    ),
}


INTRODUCTION = (
    "Every report writes its numbers as CSV: an empty cell is an unknown number, text that a"
    " spreadsheet would run is led by an apostrophe. `{preset}` stands for a preset of temporal"
    " consistency, `{part}` for a ticked column of the printed table, `{class}` for a class."
)


def schema_text() -> str:
    """Return all fields as Markdown, a table for each file."""
    parts = ["# Columns of the CSV files", "", INTRODUCTION]
    for file, fields in SCHEMA.items():
        parts += ["", f"## {file}", "", "| column | unit | meaning |", "|---|---|---|"]
        parts += [f"| `{field.name}` | {field.unit} | {field.meaning} |" for field in fields]
    return "\n".join(parts) + "\n"
