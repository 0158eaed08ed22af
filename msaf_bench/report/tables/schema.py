"""The columns of every CSV of a report: name, unit and meaning.

`{preset}` stands for a preset of temporal consistency, `{part}` for a column of the printed table
that ticks a part, `{class}` for a class.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple


class CsvColumn(NamedTuple):
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


ROW = CsvColumn("row", "", "label of the row; below the rows of the table, of its controls")
STYLE = CsvColumn(
    "in_style_of_source", "", "why a row is only in the style of its source; else empty"
)
LAST = (
    CsvColumn("watermark", "", "what the preset says of its own results; empty: nothing"),
    CsvColumn("notes", "", "what a reader must know of the run"),
)
MIOU = (
    CsvColumn("measured_miou", "%", "mIoU, mean over seeds"),
    CsvColumn("sd", "points", "standard deviation of the mIoU over seeds"),
    CsvColumn("ci_low", "%", "lower end of the 95 % interval of the mIoU over seeds"),
    CsvColumn("ci_high", "%", "upper end of it"),
    CsvColumn("seeds", "", "finished seeds"),
)
DIFFERENCE = (
    CsvColumn("difference", "points", "mIoU minus that of the reference row, paired by seed"),
    CsvColumn("diff_low", "points", "lower end of its interval, simultaneous for the table"),
    CsvColumn("diff_high", "points", "upper end of it"),
    CsvColumn("p", "", "p of the paired t test, adjusted for the table"),
)
BESIDE = (
    CsvColumn("images_low", "%", "lower end of the 95 % interval of the mIoU for other frames"),
    CsvColumn("images_high", "%", "upper end of it"),
    CsvColumn(
        "ahead", "", "share of draws of frames in which the row beats the reference row, 0 to 1"
    ),
    CsvColumn("tc_{preset}", "%", "temporal consistency under the preset, mean over seeds"),
    CsvColumn("tc_{preset}_low", "%", "lower end of its 95 % interval over seeds"),
    CsvColumn("tc_{preset}_high", "%", "upper end of it"),
    CsvColumn("tc_{preset}_no_warp", "%", "the same predictions under the preset without any warp"),
    CsvColumn("past", "points", "mIoU minus the mIoU with the newest frame repeated"),
    CsvColumn("past_low", "points", "lower end of its 95 % interval over seeds"),
    CsvColumn("past_high", "points", "upper end of it"),
    CsvColumn("macs_clip", "MAC", "multiply-accumulates of a result, all frames of the window"),
    CsvColumn("macs_stream", "MAC", "multiply-accumulates of a result, one more frame"),
    CsvColumn("ms_clip", "ms", "median latency of a result, all frames of the window"),
    CsvColumn("ms_stream", "ms", "median latency of a result, one more frame"),
    CsvColumn("fps_clip", "1/s", "1000 / mean latency, all frames of the window"),
    CsvColumn("fps_stream", "1/s", "1000 / mean latency, one more frame"),
)
MADE = (
    CsvColumn("params", "", "parameters of the network as run"),
    CsvColumn("live", "", "1: every part is live, 0: one is not; empty: no pulse was taken"),
    CsvColumn("dead_parts", "", "the parts that are not live"),
    CsvColumn("kind", "", "row, or the role of a control"),
    CsvColumn("state", "", "outcome of the trials: done, partial, failed, missing or only printed"),
    CsvColumn("data", "", "data set"),
    CsvColumn("preset", "", "preset of the conditions"),
    CsvColumn("conditions", "", "hash of all conditions; equal only where they are"),
)
SYSTEM = (
    CsvColumn("model", "", "the system as the paper calls it"),
    CsvColumn("backbone", "", "its backbone in the printed table"),
    CsvColumn("block", "", "block of the printed table"),
    STYLE,
)
COUNTED = (
    CsvColumn("ms_key", "ms", "median latency of the first frame of the system's cycle, stream"),
    CsvColumn("ms_other", "ms", "mean of the other frames' medians"),
    CsvColumn("peak_mib", "MiB", "peak memory while frames run, stream"),
    CsvColumn("published_macs_clip", "MAC", "of the system as published: all frames of the window"),
    CsvColumn("published_macs_stream", "MAC", "of the system as published: mean over a cycle"),
    CsvColumn("published_macs_key", "MAC", "of the system as published: first frame of the cycle"),
    CsvColumn(
        "published_macs_other", "MAC", "of the system as published: mean of the other frames"
    ),
    CsvColumn("published_params", "", "parameters of the system as published"),
    CsvColumn("published_live_mib", "MiB", "live activations of the system as published"),
    CsvColumn("published_size", "px", "height x width that these are counted at"),
    CsvColumn("uncounted", "", "what is computed and not counted"),
)
PRINTED = (
    CsvColumn("published_miou", "%", "mIoU of val that the paper prints"),
    CsvColumn("published_miou_test", "%", "mIoU of test that the paper prints"),
    CsvColumn("published_tc", "%", "temporal consistency that the paper prints"),
    CsvColumn("published_fps", "1/s", "FPS that the paper prints"),
    CsvColumn("published_daggers", "", "metrics whose printed number was made otherwise"),
)
FRONTS = (
    CsvColumn("front_speed", "", "1: nothing measured here beats it in mIoU and FPS together"),
    CsvColumn("front_consistency", "", "1: nothing measured here beats it in mIoU and TC together"),
)
#: File, as its name goes on behind the table's, to its fields.
SCHEMA: dict[str, tuple[CsvColumn, ...]] = {
    "TABLE.csv, variants of one system": (
        ROW,
        CsvColumn(
            "{part}",
            "",
            "1: the row has the part, 0: it has not; one that has the name of another"
            " column is called `{part} (part)`",
        ),
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
        CsvColumn("{class}", "%", "IoU of the class, mean over seeds; empty: it never occurs"),
        CsvColumn("{class}_sd", "points", "its standard deviation over seeds"),
        *LAST,
    ),
    "TABLE_validation.csv, where training was validated": (
        CsvColumn("row", "", "label of the row or control"),
        CsvColumn("seed", "", "number of the seed"),
        CsvColumn("step", "", "steps of the training done"),
        CsvColumn("validation_miou", "%", "mIoU on the clips held out of training"),
        CsvColumn("scored", "", "1: the weights of this step were scored, 0: they were not"),
        *LAST,
    ),
    "TABLE_tuning.csv, where rows are tuned": (
        CsvColumn("row", "", "label of the row"),
        CsvColumn("default_miou", "%", "mean mIoU of the row as it was"),
        CsvColumn("default_low", "%", "lower end of its 95 % interval"),
        CsvColumn("default_high", "%", "upper end of it"),
        CsvColumn("tuned_miou", "%", "mean mIoU with what was found"),
        CsvColumn("tuned_low", "%", "lower end of its 95 % interval"),
        CsvColumn("tuned_high", "%", "upper end of it"),
        CsvColumn("difference", "points", "tuned minus default; empty: the row is the same"),
        CsvColumn("diff_low", "points", "lower end of its interval, all changed rows together"),
        CsvColumn("diff_high", "points", "upper end of it"),
        CsvColumn("p", "", "of the paired t test, adjusted alike"),
        CsvColumn("found", "", "values that the search found best"),
        CsvColumn("search_default", "%", "mIoU of the row as it was on the tuning part"),
        CsvColumn("search_best", "%", "mIoU of the best attempt there"),
        CsvColumn("expected_best_of_1", "%", "mean mIoU of the drawn attempts there"),
        CsvColumn("attempts", "", "attempts that were trained to their end"),
        CsvColumn("stopped", "", "attempts that were stopped early"),
        CsvColumn("failed", "", "attempts that failed"),
        CsvColumn("steps", "", "of training, in all attempts"),
        *LAST,
    ),
    "TABLE_agreement.csv": (
        CsvColumn("ours", "", "our order: by which measurement"),
        CsvColumn("paper", "", "the paper's order: by which printed number"),
        CsvColumn("rows", "", "comparable: the system itself, alive, without dagger; all"),
        CsvColumn("n", "", "rows that have both numbers"),
        CsvColumn("tau_b", "", "Kendall's tau-b of the two orders, -1 to 1"),
        CsvColumn("low", "", "lower end of its 95 % interval, rows drawn again"),
        CsvColumn("high", "", "upper end of it"),
        CsvColumn("p", "", "two-sided p, by permuting the rows"),
        CsvColumn("verdict", "", "agrees, reversed, undecided or not comparable"),
        *LAST,
    ),
    "TABLE_claims.csv": (
        CsvColumn("id", "", "name of the claim"),
        CsvColumn(
            "scope", "", "run: our records against the paper; paper: the paper against itself"
        ),
        CsvColumn("kind", "", "cell, ordering, or how a sentence is checked"),
        CsvColumn("text", "", "the claim"),
        CsvColumn("place", "", "where the paper makes it"),
        CsvColumn("provenance", "", "how the printed numbers were made, where it is known"),
        CsvColumn("printed", "", "what the paper prints or says"),
        CsvColumn("measured", "", "what our records, or the paper's own numbers, say"),
        CsvColumn("verdict", "", "the verdict"),
        CsvColumn("reason", "", "why it is that"),
        *LAST,
    ),
    "STUDY.csv, a table over an axis": (
        CsvColumn("axis", "", "the condition that varies"),
        CsvColumn("value", "", "its value"),
        CsvColumn("row", "", "label of the row or control"),
        CsvColumn("kind", "", "row, or the role of a control"),
        CsvColumn("state", "", "outcome of the trials: done, partial, failed or missing"),
        CsvColumn("live", "", "True: every part is live, False: one is not"),
        CsvColumn("seeds", "", "finished seeds"),
        CsvColumn("miou", "%", "mIoU, mean over seeds"),
        CsvColumn("miou_low", "%", "lower end of its 95 % interval"),
        CsvColumn("miou_high", "%", "upper end of it"),
        CsvColumn("past", "points", "mIoU minus the mIoU with the newest frame repeated"),
        CsvColumn("past_low", "points", "lower end of its 95 % interval"),
        CsvColumn("past_high", "points", "upper end of it"),
        CsvColumn("gain", "points", "mIoU minus that of the row that reads one frame"),
        CsvColumn("gain_low", "points", "lower end of its 95 % interval, by itself"),
        CsvColumn("gain_high", "points", "upper end of it"),
        CsvColumn("p", "", "p of the gain, adjusted for the whole study"),
        CsvColumn("decision", "", "above, below, same or undecided, for the whole study together"),
        CsvColumn("conditions", "", "hash of all conditions"),
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
