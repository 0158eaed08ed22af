"""Made-up records of trials."""

import shutil
from pathlib import Path

import numpy as np

from msaf_bench.host import Host
from msaf_bench.records import Matrices, Record, each_record, write_record

HOST = Host.here()


def done(trial, percent=50.0, train=8.0, score=2.0):
    """The record of a trial whose mIoU is `percent`, on two classes."""
    # IoU of each class: hits / (hits + 2 misses)
    hits = round(2000 * percent / (100 - percent))
    counts = np.array([[[hits, 1000], [1000, hits]]])
    return Record(
        trial=trial,
        state="done",
        host=HOST,
        data="d",
        class_names=("a", "b"),
        confusion=Matrices.pack(counts),
        loss=((100, 0.5),),
        seconds=(("features", 100.0), ("train", train), ("score", score)),
    )


def failed(trial):
    return Record(trial=trial, state="failed", reason="non-finite loss", host=HOST, data="d")


def some_seeds(run: Path, folder: Path, seeds: int) -> Path:
    """Copy the plan of a run, and its records of the first seeds as files."""
    (folder / "records").mkdir(parents=True)
    shutil.copy(run / "plan.json", folder)
    for record in each_record(run / "records"):
        if record.trial.seed < seeds:
            write_record(folder / "records", record)
    return folder
