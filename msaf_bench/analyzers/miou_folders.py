"""Counts of two folders of label maps, read by threads in one pass over the files.

Every pair is counted in the ids of its files. The format of the ids is detected at the end from all
files, and then the counts are mapped to classes.

Shapes: N images, K classes, H W label map.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.analyzers.miou import count_ids
from msaf_bench.data.labels.classes import ClassSet
from msaf_bench.data.labels.files import Ids, read_ids
from msaf_bench.data.labels.ids import IdFormat, IdMaps, What, check_ids, find_format, id_table
from msaf_bench.data.labels.overlap import check_meaning, check_raw
from msaf_bench.data.labels.pairs import LabelPair, LabelPairs
from msaf_bench.errors import DataError
from msaf_bench.matrices import SparseMatrices

NO_MAPS: IdMaps = {"prediction": {}, "truth": {}}


class Bad(NamedTuple):
    """Pair that was not scored, with the reason."""

    name: str
    why: str


class FolderCounts(NamedTuple):
    """Counts of the label maps of two folders."""

    names: Sequence[str]  #: names of the scored images
    #: counts of each image, (K+1, K+1): rows ground truth, columns prediction, void last
    matrices: SparseMatrices
    sizes: dict[tuple[int, ...], int]  #: (H, W) -> number of images
    formats: Mapping[What, IdFormat]
    palettes: int  #: number of files whose ids are palette indices
    bad: tuple[Bad, ...]


class _Counted(NamedTuple):
    pair: LabelPair
    size: tuple[int, ...]
    truth_ids: list[int]  #: paired with `prediction_ids`: the combinations of ids that occur
    prediction_ids: list[int]
    counts: NDArray[np.int64]
    palettes: int


def count_folders(
    pairs: LabelPairs,
    classes: ClassSet,
    given: Mapping[What, IdFormat],
    *,
    maps: IdMaps = NO_MAPS,
    skip_bad: bool = False,
    threads: int = 1,
    on_pair: Callable[[], None] = lambda: None,
) -> FolderCounts:
    """Return the counts of every pair of label maps.

    Args:
        pairs: Pairs of files of the two folders.
        classes: Classes of the label maps.
        given: Known formats of ids; the others are detected from the files.
        maps: Mappings of single ids.
        skip_bad: Leave out and list pairs that cannot be scored, unless none is left.
        threads: Number of threads that read files.
        on_pair: Called after each pair.

    Raises:
        DataError: For the first invalid or missing file, or if ids that may be a class would become
            void (`check_meaning`).
    """
    bad = _unpaired(pairs)
    if bad and not skip_bad:
        count = (
            f"{len(pairs.missing)} missing and {len(pairs.extra)} extra beside {len(pairs.both)}"
            " pairs"
        )
        raise DataError(f"{bad[0].why}; {count}; complete the folders or give --skip-bad")

    def refuse(pair: LabelPair, error: DataError) -> None:
        if not skip_bad:
            raise error
        bad.append(Bad(pair.name, str(error)))

    counted = _read(pairs.both, threads, refuse, on_pair)
    formats = _formats(counted, classes, given, maps) if counted else {}
    scored = list[_Counted]()
    matrices = SparseMatrices(len(classes.names) + 1)
    for each in counted:
        try:
            matrices.append(_mapped(each, classes, formats, maps))
            scored.append(each)
        except DataError as error:
            refuse(each.pair, error)
    if not scored:
        raise DataError(f"none of the {len(pairs.both)} pairs can be scored: {bad[-1].why}")
    joint = np.zeros((256, 256), np.int64)
    for each in scored:
        np.add.at(joint, (each.truth_ids, each.prediction_ids), each.counts)
    check_raw(
        joint, classes, {what: form for what, form in formats.items() if what not in given}, maps
    )
    check_meaning(joint, classes, formats, maps)
    sizes = Counter(each.size for each in scored)
    return FolderCounts(
        [each.pair.name for each in scored],
        matrices,
        dict(sizes),
        formats,
        sum(each.palettes for each in scored),
        tuple(bad),
    )


def _unpaired(pairs: LabelPairs) -> list[Bad]:
    missing = [Bad(name, f"{name}: no prediction for this truth") for name in pairs.missing]
    return missing + [Bad(name, f"{name}: no truth for this prediction") for name in pairs.extra]


def _read(
    pairs: Sequence[LabelPair],
    threads: int,
    refuse: Callable[[LabelPair, DataError], None],
    on_pair: Callable[[], None],
) -> list[_Counted]:
    counted = list[_Counted]()
    pool = ThreadPoolExecutor(threads)
    try:
        for pair, waiting in [(pair, pool.submit(_count, pair)) for pair in pairs]:
            try:
                counted.append(waiting.result())
            except DataError as error:
                refuse(pair, error)
            on_pair()
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C, read no further files
    return counted


def _count(pair: LabelPair) -> _Counted:
    prediction = read_ids(pair.prediction, what="prediction")
    if pair.read_truth:
        truth = Ids(pair.read_truth(), palette=False)
    else:
        truth = read_ids(pair.truth, what="truth")
    try:
        matrix = count_ids(truth.ids, prediction.ids)
    except DataError as error:
        raise DataError(f"{pair.prediction}: {error}") from error
    rows, columns = matrix.nonzero()
    counts = matrix[rows, columns]
    return _Counted(
        pair,
        truth.ids.shape,
        rows.tolist(),
        columns.tolist(),
        counts,
        prediction.palette + truth.palette,
    )


def _formats(
    counted: Sequence[_Counted], classes: ClassSet, given: Mapping[What, IdFormat], maps: IdMaps
) -> dict[What, IdFormat]:
    # A mapped id gives no hint of the format of the other ids.
    predictions = {
        c.pair.prediction: [i for i in c.prediction_ids if i not in maps["prediction"]]
        for c in counted
    }
    truths = {c.pair.truth: [i for i in c.truth_ids if i not in maps["truth"]] for c in counted}
    prediction = given.get("prediction") or find_format(predictions, classes, "prediction")
    truth = given.get("truth") or find_format(truths, classes, "truth")
    return {"prediction": prediction, "truth": truth}


def _mapped(
    each: _Counted, classes: ClassSet, formats: Mapping[What, IdFormat], maps: IdMaps
) -> NDArray[np.int64]:
    check_ids(
        each.prediction_ids,
        each.pair.prediction,
        classes,
        formats["prediction"],
        "prediction",
        maps["prediction"],
    )
    check_ids(each.truth_ids, each.pair.truth, classes, formats["truth"], "truth", maps["truth"])
    to_prediction = id_table(classes, formats["prediction"], maps["prediction"])
    to_truth = id_table(classes, formats["truth"], maps["truth"])
    matrix = np.zeros((len(classes.names) + 1,) * 2, np.int64)
    np.add.at(matrix, (to_truth[each.truth_ids], to_prediction[each.prediction_ids]), each.counts)
    return matrix
