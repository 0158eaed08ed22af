"""Files of a scored folder of predictions: JSON, pairs as CSV, and matrices."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from msaf_bench.analyzers.consistency.tc_score import TcScore
from msaf_bench.documents import json_text
from msaf_bench.outputs import write_outputs
from msaf_bench.report.arrays import npz
from msaf_bench.report.tables.spreadsheet import csv_document

FILES = ("tc.json", "tc_pairs.csv", "tc_matrices.npz")  #: names of the files of `write`


def write(score: TcScore, folder: Path) -> list[Path]:
    """Write the score to files and return their paths.

    `tc.json` is the document, `tc_pairs.csv` has one line per pair or window, and `tc_matrices.npz`
    has arrays (P, K, K) for presets with matrices.
    """
    matrices = {
        result.score.preset: result.score.matrices
        for result in score.results
        if result.score.matrices is not None
    }
    files: dict[str, str | bytes] = {
        "tc.json": json_text(score.document()),
        # file names may not be valid text
        "tc_pairs.csv": csv_document(_lines(score)).encode(errors="backslashreplace"),
        "tc_matrices.npz": npz(matrices),
    }
    return write_outputs(folder, files)


def _lines(score: TcScore) -> Iterator[tuple[object, ...]]:
    yield ("preset", "first", "last", "tc")
    for result in score.results:
        if not result.score.pairs:
            continue
        for first, last, value in score.parts(result):
            yield (result.score.preset, first, last, "" if np.isnan(value) else value)
