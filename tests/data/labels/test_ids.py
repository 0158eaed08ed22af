"""Raw ids or 0..K-1: told over a folder, or asked."""

from pathlib import Path

import numpy as np
import pytest

from msaf_bench.data.labels.classes import class_set
from msaf_bench.data.labels.ids import NO_CLASS, find_format, id_table
from msaf_bench.errors import DataError

CITYSCAPES = class_set("cityscapes19")
RAW, TRAIN, NONE = "x_gtFine_labelIds", "x_gtFine_labelTrainIds", "x"


def told(*files, what="truth"):
    """Of files given as (name, ids)."""
    return find_format(
        {Path("folder", f"{i}_{name}.png"): ids for i, (name, ids) in enumerate(files)},
        CITYSCAPES,
        what,
    )


@pytest.mark.parametrize(
    ("files", "form"),
    [
        ([(NONE, [7, 8, 11]), (NONE, [7, 26])], "raw"),  # one file decides for the folder
        ([(NONE, [0, 1, 3, 7, 8, 9, 10, 23])], "raw"),  # parking and rail track beside sky
        ([(RAW, [7, 8, 11])], "raw"),
        ([(RAW, [0, 3, 7, 8])], "raw"),
        ([(RAW, [0])], "raw"),
        ([(RAW, [0, 3, 7, 19])], "raw"),
        ([(RAW, [7, 255])], "raw"),
        # sky; as raw ids nothing has a rail track and nothing above it
        ([(NONE, [7, 8, 11]), (NONE, [0, 10])], "train"),
        ([(NONE, list(range(19)))], "train"),
        ([(NONE, [0, 1, 2, 255])], "train"),  # as raw ids all void
        ([(TRAIN, [7, 8, 11])], "train"),
        ([("pred_trainIds", [7, 8])], "train"),
        ([(TRAIN, [40])], "train"),  # out of range is for the reader to say
    ],
)
def test_told(files, form):
    assert told(*files) == form


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([(NONE, [7, 8, 11])], "could be raw"),
        ([(NONE, [0, 7])], "could be raw"),
        (
            [(TRAIN, [7, 26])],
            (
                "id 26 in 0_x_gtFine_labelTrainIds.png says raw, the name"
                " 0_x_gtFine_labelTrainIds.png says 0 to 18"
            ),
        ),
        # 0..18 under the name of raw ids
        ([(RAW, [0, 1, 10])], "the name .* says raw, id 10 .* says 0 to 18"),
        (
            [(NONE, [0, 1, 10]), (NONE, [7, 26])],
            "id 26 in 1_x.png says raw, id 10 in 0_x.png says 0 to 18",
        ),
        ([(RAW, [7]), (TRAIN, [7])], "says raw"),
        # 0..18, and 19 for void
        ([(NONE, list(range(20)))], "the largest id is 19.*--map pred:19=void"),
        ([(NONE, [0, 1, 2, 8, 10, 13, 19])], "0, 1, 2, 10 would be void"),
        ([(NONE, [0, 1]), (NONE, [7, 19, 255])], "0, 1 would be void"),
        ([(NONE, [7, 8, 19])], "largest id is 19"),
        ([(RAW, [7, 10, 19])], "10 would be void"),
    ],
)
def test_what_disagrees_or_says_nothing_is_asked(files, says):
    with pytest.raises(DataError, match=says) as error:
        told(*files, what="prediction")
    assert "--pred-ids raw" in str(error.value)


def test_where_there_is_no_raw_format_nothing_is_told():
    assert find_format({Path("a_labelIds.png"): [7, 26]}, class_set("camvid11"), "truth") == "train"


def test_tables():
    raw = id_table(CITYSCAPES, "raw")
    assert raw[[7, 8, 11, 33]].tolist() == [0, 1, 2, 18]
    assert set(raw[[0, 6, 9, 29, 30, 255]].tolist()) == {19}
    assert set(raw[34:255].tolist()) == {NO_CLASS}
    train = id_table(CITYSCAPES)
    assert train[:19].tolist() == list(range(19))
    assert train[255] == 19
    assert set(train[19:255].tolist()) == {NO_CLASS}
    assert np.count_nonzero(id_table(class_set("camvid11")) == 11) == 2
