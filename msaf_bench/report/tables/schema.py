"""Columns of every CSV of a report: name, unit and meaning.

`{preset}` stands for a preset of temporal consistency, `{part}` for a ticked column of the printed
table, and `{class}` for a class.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple


class CsvColumn(NamedTuple):
    """A column of a CSV file."""

    name: str
    unit: str  #: empty for text and counts
    meaning: str

    def describes(self, column: str, stands_for: dict[str, Iterable[str]]) -> bool:
        """Return whether it describes a column; `stands_for` has the values of words in braces."""
        pattern = re.escape(self.name)
        for word, values in stands_for.items():
            choice = "|".join(map(re.escape, values)) or "(?!)"
            pattern = pattern.replace(re.escape(f"{{{word}}}"), f"(?:{choice})")
        return re.fullmatch(pattern, column) is not None


ROW = CsvColumn("row", "", "label of the row or control; controls follow the rows of the table")
STYLE = CsvColumn(
    "in_style_of_source",
    "",
    "reason if the row is only in the style of its source; or empty",
)
LAST = (
    CsvColumn("watermark", "", "warning of the preset about its results; otherwise empty"),
    CsvColumn("notes", "", "caveats of the run"),
)
MIOU = (
    CsvColumn("measured_miou", "%", "mIoU, mean over seeds"),
    CsvColumn("sd", "points", "standard deviation of the mIoU over seeds"),
    CsvColumn("ci_low", "%", "lower end of the 95 % interval of the mIoU over seeds"),
    CsvColumn("ci_high", "%", "upper end of the 95 % interval of the mIoU over seeds"),
    CsvColumn("seeds", "", "number of finished seeds"),
)
DIFFERENCE = (
    CsvColumn("difference", "points", "mIoU minus the mIoU of the reference row, paired by seed"),
    CsvColumn("diff_low", "points", "lower end of the 95 % interval, simultaneous for the table"),
    CsvColumn("diff_high", "points", "upper end of the 95 % interval, simultaneous for the table"),
    CsvColumn("p", "", "p value of the paired t test, adjusted for the table"),
)
BESIDE = (
    CsvColumn(
        "images_low", "%", "lower end of the 95 % interval of the mIoU over frames and seeds"
    ),
    CsvColumn(
        "images_high", "%", "upper end of the 95 % interval of the mIoU over frames and seeds"
    ),
    CsvColumn(
        "ahead", "", "share of bootstrap draws in which the row beats the reference row, 0 to 1"
    ),
    CsvColumn("tc_{preset}", "%", "temporal consistency under the preset, mean over seeds"),
    CsvColumn("tc_{preset}_low", "%", "lower end of the 95 % interval over seeds"),
    CsvColumn("tc_{preset}_high", "%", "upper end of the 95 % interval over seeds"),
    CsvColumn("tc_{preset}_no_warp", "%", "consistency of the same predictions without any warp"),
    CsvColumn(
        "past",
        "points",
        "contribution of past frames: mIoU minus the mIoU with the newest frame repeated",
    ),
    CsvColumn("past_low", "points", "lower end of the 95 % interval over seeds"),
    CsvColumn("past_high", "points", "upper end of the 95 % interval over seeds"),
    CsvColumn("macs_clip", "MAC", "multiply-accumulates per result, for all frames of the window"),
    CsvColumn("macs_stream", "MAC", "multiply-accumulates per result, for the newest frame only"),
    CsvColumn("ms_clip", "ms", "median latency per result, for all frames of the window"),
    CsvColumn("ms_stream", "ms", "median latency per result, for the newest frame only"),
    CsvColumn("fps_clip", "1/s", "1000 / mean latency in ms, for all frames of the window"),
    CsvColumn("fps_stream", "1/s", "1000 / mean latency in ms, for the newest frame only"),
)
MADE = (
    CsvColumn("params", "", "number of parameters of the network as run"),
    CsvColumn("live", "", "1: every part is live; 0: at least one is not; empty: no pulse"),
    CsvColumn("dead_parts", "", "names of the parts that are not live"),
    CsvColumn("kind", "", "row, or the role of a control"),
    CsvColumn("state", "", "outcome of the trials: done, partial, failed, missing or only printed"),
    CsvColumn("data", "", "data set"),
    CsvColumn("preset", "", "preset of the conditions"),
    CsvColumn("conditions", "", "hash of all conditions, equal only for equal conditions"),
)
SYSTEM = (
    CsvColumn("model", "", "name of the system in the paper"),
    CsvColumn("backbone", "", "backbone of the system in the printed table"),
    CsvColumn("block", "", "block of rows in the printed table"),
    STYLE,
)
COUNTED = (
    CsvColumn("ms_key", "ms", "median latency of the first frame of the cycle, in stream mode"),
    CsvColumn("ms_other", "ms", "mean of the other frames' median latencies, in stream mode"),
    CsvColumn("peak_mib", "MiB", "peak memory in stream mode"),
    CsvColumn(
        "published_macs_clip", "MAC", "MACs of the network as published: all frames of the window"
    ),
    CsvColumn(
        "published_macs_stream", "MAC", "MACs of the network as published: mean over a cycle"
    ),
    CsvColumn(
        "published_macs_key", "MAC", "MACs of the network as published: first frame of the cycle"
    ),
    CsvColumn(
        "published_macs_other", "MAC", "MACs of the network as published: mean of the other frames"
    ),
    CsvColumn("published_params", "", "number of parameters of the network as published"),
    CsvColumn("published_live_mib", "MiB", "live activations of the network as published"),
    CsvColumn("published_size", "px", "height x width of the frames used for these counts"),
    CsvColumn("uncounted", "", "operations that are computed but not counted"),
)
PRINTED = (
    CsvColumn("published_miou", "%", "printed mIoU on val"),
    CsvColumn("published_miou_test", "%", "printed mIoU on test"),
    CsvColumn("published_tc", "%", "printed temporal consistency"),
    CsvColumn("published_fps", "1/s", "printed FPS"),
    CsvColumn(
        "published_daggers",
        "",
        "metrics whose printed number was produced otherwise",
    ),
)
FRONTS = (
    CsvColumn("front_speed", "", "1: no system measured here beats it in both mIoU and FPS"),
    CsvColumn("front_consistency", "", "1: no system measured here beats it in both mIoU and TC"),
)
#: columns by file; TABLE stands for the name of the table
SCHEMA: dict[str, tuple[CsvColumn, ...]] = {
    "TABLE.csv, variants of one system": (
        ROW,
        CsvColumn(
            "{part}",
            "",
            "1: the row has the part; 0: it does not; a part with the name of another column"
            " is called `{part} (part)`",
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
        CsvColumn("{class}", "%", "IoU, mean over seeds; empty: the class never occurs"),
        CsvColumn("{class}_sd", "points", "standard deviation of the IoU over seeds"),
        *LAST,
    ),
    "TABLE_validation.csv, runs with validation": (
        CsvColumn("row", "", "label of the row or control"),
        CsvColumn("seed", "", "number of the seed"),
        CsvColumn("step", "", "training steps done"),
        CsvColumn("validation_miou", "%", "mIoU on the clips held out of training"),
        CsvColumn("scored", "", "1: the weights of this step were scored; 0: they were not"),
        *LAST,
    ),
    "TABLE_tuning.csv, tuned rows": (
        CsvColumn("row", "", "label of the row"),
        CsvColumn("default_miou", "%", "mIoU with default values, mean over seeds"),
        CsvColumn("default_low", "%", "lower end of the 95 % interval over seeds"),
        CsvColumn("default_high", "%", "upper end of the 95 % interval over seeds"),
        CsvColumn("tuned_miou", "%", "mIoU with the values found by the search, mean over seeds"),
        CsvColumn("tuned_low", "%", "lower end of the 95 % interval over seeds"),
        CsvColumn("tuned_high", "%", "upper end of the 95 % interval over seeds"),
        CsvColumn(
            "difference",
            "points",
            "tuned minus default, paired by seed; empty if unchanged",
        ),
        CsvColumn("diff_low", "points", "lower end of the interval, simultaneous for changed rows"),
        CsvColumn(
            "diff_high", "points", "upper end of the interval, simultaneous for changed rows"
        ),
        CsvColumn("p", "", "p value of the paired t test, adjusted for changed rows"),
        CsvColumn("found", "", "best values found by the search"),
        CsvColumn("search_default", "%", "mIoU with default values on the tuning part"),
        CsvColumn("search_best", "%", "mIoU of the best attempt on the tuning part"),
        CsvColumn("expected_best_of_1", "%", "mean mIoU of the drawn attempts on the tuning part"),
        CsvColumn("attempts", "", "number of attempts trained to their end"),
        CsvColumn("stopped", "", "number of attempts stopped early"),
        CsvColumn("failed", "", "number of failed attempts"),
        CsvColumn("steps", "", "training steps of all attempts together"),
        *LAST,
    ),
    "TABLE_agreement.csv": (
        CsvColumn("ours", "", "measurement that gives our order"),
        CsvColumn("paper", "", "printed number that gives the paper's order"),
        CsvColumn(
            "rows",
            "",
            "comparable: the systems themselves, live, no dagger; all: with both numbers",
        ),
        CsvColumn("n", "", "number of rows with both numbers"),
        CsvColumn("tau_b", "", "Kendall's tau-b of the two orders, -1 to 1"),
        CsvColumn("low", "", "lower end of the 95 % interval, bootstrap over rows"),
        CsvColumn("high", "", "upper end of the 95 % interval, bootstrap over rows"),
        CsvColumn("p", "", "p value of a two-sided permutation test over rows"),
        CsvColumn("verdict", "", "agrees, reversed, undecided or not comparable"),
        *LAST,
    ),
    "TABLE_claims.csv": (
        CsvColumn("id", "", "name of the claim"),
        CsvColumn(
            "scope", "", "run: our records against the paper; paper: the paper against itself"
        ),
        CsvColumn("kind", "", "cell, ordering, or kind of check of a sentence"),
        CsvColumn("text", "", "the claim"),
        CsvColumn("place", "", "place in the paper"),
        CsvColumn("provenance", "", "origin of the printed numbers, if known"),
        CsvColumn("printed", "", "number or statement of the paper"),
        CsvColumn("measured", "", "result of our records, or of the paper's own numbers"),
        CsvColumn("verdict", "", "verdict on the claim"),
        CsvColumn("reason", "", "reason for the verdict"),
        *LAST,
    ),
    "STUDY.csv, tables with an axis": (
        CsvColumn("axis", "", "condition that varies"),
        CsvColumn("value", "", "value of the condition"),
        CsvColumn("row", "", "label of the row or control"),
        CsvColumn("kind", "", "row, or the role of a control"),
        CsvColumn("state", "", "outcome of the trials: done, partial, failed or missing"),
        CsvColumn("live", "", "True: every part is live; False: at least one is not"),
        CsvColumn("seeds", "", "number of finished seeds"),
        CsvColumn("miou", "%", "mIoU, mean over seeds"),
        CsvColumn("miou_low", "%", "lower end of the 95 % interval over seeds"),
        CsvColumn("miou_high", "%", "upper end of the 95 % interval over seeds"),
        CsvColumn(
            "past",
            "points",
            "contribution of past frames: mIoU minus the mIoU with the newest frame repeated",
        ),
        CsvColumn("past_low", "points", "lower end of the 95 % interval over seeds"),
        CsvColumn("past_high", "points", "upper end of the 95 % interval over seeds"),
        CsvColumn("gain", "points", "mIoU minus the mIoU of the single-frame row, paired by seed"),
        CsvColumn("gain_low", "points", "lower end of the 95 % interval, not adjusted"),
        CsvColumn("gain_high", "points", "upper end of the 95 % interval, not adjusted"),
        CsvColumn("p", "", "p value of the gain, adjusted for the whole study"),
        CsvColumn("decision", "", "above, below, same or undecided, adjusted for the whole study"),
        CsvColumn("conditions", "", "hash of all conditions"),
        *LAST,
    ),
}


INTRODUCTION = (
    "Every report writes its numbers as CSV. An empty cell is an unknown number. An apostrophe"
    " precedes text that a\nspreadsheet would run as a formula. `{preset}` stands for a preset of"
    " temporal consistency, `{part}` for a ticked\ncolumn of the printed table, and `{class}` for a"
    " class."
)


def schema_text() -> str:
    """Return all columns as Markdown, one table per file."""
    parts = ["# Columns of the CSV files", "", INTRODUCTION]
    for file, fields in SCHEMA.items():
        parts += ["", f"## {file}", "", "| column | unit | meaning |", "|---|---|---|"]
        parts += [f"| `{field.name}` | {field.unit} | {field.meaning} |" for field in fields]
    return "\n".join(parts) + "\n"
