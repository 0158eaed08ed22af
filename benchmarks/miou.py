"""mIoU and its run time, compared with torchmetrics and cityscapesScripts.

    pip install torchmetrics cityscapesscripts
    python benchmarks/miou.py [--pred DIR --truth DIR --classes camvid11]

Runs on synthetic Cityscapes pairs and, optionally, on your own folders. The synthetic maps have
every void id, lack one class, and predict another class only on void pixels. Times are medians for
one pair of 2 Mpx.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from msaf_bench.analyzers.miou import class_scores, confusion_matrix, count_ids
from msaf_bench.analyzers.miou_folders import count_folders
from msaf_bench.data.labels.classes import ClassSet, class_set
from msaf_bench.data.labels.files import read_ids, read_label_map
from msaf_bench.data.labels.pairs import LabelPair, pair_label_maps

PAIRS, SIZE = 4, (1024, 2048)
ABSENT, ONLY_AT_VOID = 31, 28  # train, bus


def make_pairs(folder: Path) -> None:
    """Write blocky maps of raw ids: 80 % of the pixels correct, 1 % predicted as void.

    The instance files have no instances.
    """
    rng = np.random.default_rng(0)
    raw = class_set("cityscapes19").raw
    here = np.array([i for i in raw if i not in (ABSENT, ONLY_AT_VOID)], np.uint8)
    void = np.array([i for i in range(34) if i not in raw], np.uint8)
    for name in ("pred", "truth"):
        (folder / name).mkdir()
    for index in range(PAIRS):
        small = np.where(
            rng.random((32, 64)) < 0.1, rng.choice(void, (32, 64)), rng.choice(here, (32, 64))
        )
        truth = np.kron(small, np.ones((32, 32), np.uint8)).astype(np.uint8)
        prediction = np.where(rng.random(SIZE) < 0.8, truth, rng.choice(here, SIZE)).astype(
            np.uint8
        )
        prediction[np.isin(truth, void)] = ONLY_AT_VOID
        prediction[rng.random(SIZE) < 0.01] = 0
        frame = f"frankfurt_000000_{index:06d}"
        Image.fromarray(truth).save(folder / "truth" / f"{frame}_gtFine_labelIds.png")
        Image.fromarray(truth.astype(np.uint16)).save(
            folder / "truth" / f"{frame}_gtFine_instanceIds.png"
        )
        Image.fromarray(prediction).save(folder / "pred" / f"{frame}.png")


def ours(pred: Path, truth: Path, classes: ClassSet) -> dict[str, float]:
    counts = count_folders(pair_label_maps(pred, truth, classes), classes, {})
    whole = counts.matrices.sum()
    return {
        void: class_scores(whole, void=void, absent="skip").miou for void in ("ignore", "penalise")
    }


def torchmetrics_jaccard(
    pred: Path, truth: Path, classes: ClassSet, forms: tuple[str, str]
) -> dict[str, float]:
    """Return the mIoU of torchmetrics by void rule.

    Void is an additional class that predictions may have; it is left out of the mean afterwards.
    The rule `ignore` uses `ignore_index`.
    """
    from torchmetrics import JaccardIndex

    void = len(classes.names)
    found = {}
    for rule, ignored in (("ignore", void), ("penalise", None)):
        metric = JaccardIndex(
            "multiclass", num_classes=void + 1, ignore_index=ignored, average="none"
        )
        for pair in pair_label_maps(pred, truth, classes).both:
            maps = [
                torch.from_numpy(
                    read_label_map(path, classes, what=what, form=form).astype(np.int64)
                ).clamp_(max=void)
                for path, what, form in (
                    (pair.prediction, "prediction", forms[0]),
                    (pair.truth, "truth", forms[1]),
                )
            ]
            metric.update(*maps)
        # torchmetrics returns 0 for a class that never occurs.
        occurs = metric.confmat.sum(0) + metric.confmat.sum(1) > 0
        found[rule] = 100 * float(metric.compute()[:void][occurs[:void]].mean())
    return found


def cityscapes_scripts(pred: Path, truth: Path) -> tuple[float, Callable[[], object]]:
    """Return the mIoU of the official evaluation, and a function that evaluates one pair."""
    np.in1d = np.isin  # noqa: NPY201  (NumPy 2.4 has no in1d, and the script calls it)
    os.environ["CITYSCAPES_RESULTS"] = str(pred)
    from cityscapesscripts.evaluation import (
        evalPixelLevelSemanticLabeling as official,  # noqa: N813
    )

    official.args.quiet, official.args.JSONOutput = True, False
    truths = sorted(str(path) for path in truth.glob("*_gtFine_labelIds.png"))
    predictions = [official.getPrediction(official.args, path) for path in truths]
    result = official.evaluateImgLists(predictions, truths, official.args)

    def one_pair() -> object:
        official.args.evalInstLevelScore = False  # msaf-bench has no instance-level score
        matrix = official.generateMatrix(official.args)
        return official.evaluatePair(predictions[0], truths[0], matrix, {}, {}, official.args)

    return 100 * result["averageScoreClasses"], one_pair


def milliseconds(work: Callable[[], object], repeats: int = 15) -> float:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pred", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--classes", default="camvid11")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.pred:
        own = class_set(given.classes)
        print(f"ours          {ours(given.pred, given.truth, own)}")
        print(
            "torchmetrics "
            f" {torchmetrics_jaccard(given.pred, given.truth, own, ('train', 'train'))}"
        )
    with tempfile.TemporaryDirectory() as folder:
        classes, pred, truth = (
            class_set("cityscapes19"),
            Path(folder, "pred"),
            Path(folder, "truth"),
        )
        make_pairs(Path(folder))
        official, one_official = cityscapes_scripts(pred, truth)
        print(f"ours               {ours(pred, truth, classes)}")
        print(f"torchmetrics       {torchmetrics_jaccard(pred, truth, classes, ('raw', 'raw'))}")
        print(f"cityscapesScripts  {{'ignore': {official}}}")
        pair = pair_label_maps(pred, truth, classes).both[0]
        time_methods(pair, classes, one_official)


def time_methods(pair: LabelPair, classes: ClassSet, one_official: Callable[[], object]) -> None:
    from torchmetrics import JaccardIndex

    def decode() -> tuple[np.ndarray, np.ndarray]:
        return (
            read_ids(pair.truth, what="truth").ids,
            read_ids(pair.prediction, what="prediction").ids,
        )

    pictures = decode()
    label = read_label_map(pair.truth, classes, what="truth", form="raw")
    guess = np.minimum(label, 18)
    tensors = [torch.from_numpy(each.astype(np.int64)) for each in (guess, np.minimum(label, 19))]
    metric = JaccardIndex("multiclass", num_classes=19, ignore_index=19, validate_args=False)
    times = {
        "ours, both ids in 16 bits and bincount": milliseconds(lambda: count_ids(*pictures)),
        "ours, checked and cut to 19x19": milliseconds(lambda: confusion_matrix(label, guess, 19)),
        "torchmetrics JaccardIndex.update": milliseconds(lambda: metric.update(*tensors)),
        "ours, decode and count": milliseconds(lambda: count_ids(*decode())),
        "cityscapesScripts, decode and count": milliseconds(one_official),
    }
    print(f"{'x'.join(map(str, label.shape))}, one thread")
    for name, time_ms in times.items():
        print(f"  {name:<42}{time_ms:7.1f} ms")


if __name__ == "__main__":
    main()
