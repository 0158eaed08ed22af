"""CamVid as its authors give it, on a small tree that looks like it: splits by number, 32 colours,
frames between the stills.
"""

import io
import re

import numpy as np
import pytest
from PIL import Image

from msaf_bench.catalog import read_data_set
from msaf_bench.data import CAMVID_CLASSES, CAMVID_COLOURS, open_split
from msaf_bench.data.readers.files import File
from msaf_bench.data.readers.label_maps import read_label
from msaf_bench.data.readers.selection import Chooser
from msaf_bench.errors import DataError
from msaf_bench.spec import VOID

STILLS = (
    "0001TP_006690", "0001TP_006720", "0006R0_f00930", "0016E5_07920", "0016E5_08190",
    "0016E5_07959", "0016E5_07961", "0016E5_08159", "0001TP_008550", "Seq05VD_f00000",
    "Seq05VD_f05100",
)  # fmt: skip
CAMVID = read_data_set("camvid")
FORM = CAMVID.layouts[0].labels[0]
GROUPS = dict(FORM.colours)
# some of the 32, by their names in the data set's label_colors.txt
COLOURS = {"LaneMkgsDriv": (128, 0, 192), "Void": (0, 0, 0), "Road": (128, 64, 128)}


def read_colours(picture):
    return read_label(File("x_L.png", "x_L.png"), png(picture), FORM, CAMVID.classes)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def shade(number):
    return 20 + number * 37 % 200


@pytest.fixture
def root(tmp_path):
    for name in STILLS:
        number = int(re.sub(r".*_f?", "", name))
        save(
            tmp_path / f"701_StillsRaw_full/{name}.png",
            np.full((24, 32, 3), shade(number), np.uint8),
        )
        label = np.full((24, 32, 3), COLOURS["LaneMkgsDriv"], np.uint8)
        label[:4] = COLOURS["Void"]
        save(tmp_path / f"LabeledApproved_full/{name}_L.png", label)
    return tmp_path


def names(clips):
    return [clips[i].name for i in range(len(clips))]


def greys(clip):
    return [int(frame[0, 0, 0]) for frame in clip.frames]


def test_there_are_32_colours_in_11_groups():
    colours = [colour for group in GROUPS.values() for colour in group]
    assert len(colours) == len(set(colours)) == 32
    assert (*GROUPS,) == (*CAMVID_CLASSES, "void")
    for name, colour in zip(CAMVID_CLASSES, CAMVID_COLOURS, strict=True):
        if name != "sidewalk":  # SegNet paints it in a colour of its own
            assert colour in GROUPS[name]
    assert COLOURS["LaneMkgsDriv"] in GROUPS["road"]


def test_colours_become_classes_pixel_by_pixel():
    rng = np.random.default_rng(0)
    group = {colour: name for name, colours in GROUPS.items() for colour in colours}
    drawn = rng.integers(len(group), size=(20, 30))
    colours = list(group)
    picture = np.array([[colours[i] for i in row] for row in drawn], np.uint8)
    expected = [
        [
            VOID if group[colours[i]] == "void" else CAMVID_CLASSES.index(group[colours[i]])
            for i in row
        ]
        for row in drawn
    ]
    np.testing.assert_array_equal(read_colours(picture), expected)


@pytest.mark.parametrize(
    "colour", [(128, 64, 129), (0, 0, 128), (255, 255, 255), (64, 64, 64), (1, 0, 0)]
)
def test_another_colour_is_named(colour):
    picture = np.full((4, 5, 3), COLOURS["Road"], np.uint8)
    picture[2, 3] = picture[3, 4] = colour
    with pytest.raises(DataError) as error:
        read_colours(picture)
    assert (
        str(error.value)
        == f"x_L.png: 2 pixels with an unknown colour, the first {colour}; expected the 32"
        " colours of the data set"
    )


def test_splits_follow_drive_and_number(root, conditions):
    sparse = conditions("camvid", train_spacing=30, score_spacing=2)
    train, val = open_split(sparse, "train", root), open_split(sparse, "score", root)
    assert names(train) == [
        "0001TP/06690",
        "0001TP/06720",
        "0006R0/00930",
        "0016E5/07920",
        "0016E5/08190",
    ]
    assert names(val) == ["0016E5/07959", "0016E5/07961", "0016E5/08159"]
    options = {"allow_partial": True, "scored": "test"}
    test = open_split(conditions("camvid", data_options=options, frames=1), "score", root)
    assert names(test) == ["0001TP/08550", "Seq05VD/00000", "Seq05VD/05100"]
    assert (train.pairs, val.pairs) == (((0, 1),), ((0, 1),))
    assert (train[0].label.shape, val[0].label.shape) == ((8, 16), (24, 32))
    assert set(np.unique(val[0].label)) == {CAMVID_CLASSES.index("road"), VOID}
    with pytest.raises(
        DataError, match="701_StillsRaw_full, val: 3 labelled frames, the official split has 101"
    ):
        open_split(conditions("camvid", data_options={}, score_spacing=2), "score", root)


def test_stills_of_another_split_are_no_history(root, conditions):
    train = open_split(conditions("camvid", train_spacing=30), "train", root)
    assert greys(train[1]) == [shade(6690), shade(6690), shade(6720)]
    assert greys(train[4]) == [shade(8190)] * 3  # 8159, 31 frames before it, is of val


def test_the_rule_gives_the_official_splits(camvid_root):
    counts = {}
    selections = {name: CAMVID.selection(CAMVID.layouts[0], name) for name, _ in CAMVID.splits}
    chooser = Chooser(selections, camvid_root, {})
    folders = {
        "train": camvid_root / "train",
        "val": camvid_root / "val",
        "test": camvid_root.parent / "camvid_score" / "test_labels",
    }
    for part, folder in folders.items():
        for path in folder.glob("*.png"):
            drive, number = re.fullmatch(r"(\w+)_f?(\d+)", path.stem).groups()
            assert chooser.has(part, (drive, int(number))), path.name
            counts[part] = counts.get(part, 0) + 1
    assert counts == {"train": 367, "val": 101, "test": 233}


def test_extracted_frames_are_the_history(root, conditions):
    for number in (7957, 7958, 7960):
        save(
            root / f"frames/0016E5/0016E5_{number:05d}.png",
            np.full((24, 32, 3), shade(number), np.uint8),
        )
    clips = open_split(conditions("camvid"), "score", root)
    assert greys(clips[0]) == [shade(n) for n in (7957, 7958, 7959)]
    assert greys(clips[1]) == [shade(n) for n in (7959, 7960, 7961)]
    assert clips.repeated == 2  # of the last one
    assert (
        clips.fingerprint
        != open_split(conditions("camvid", score_spacing=2), "score", root).fingerprint
    )


def test_archives_as_they_are_downloaded(root, conditions, pack):
    sparse = conditions("camvid", train_spacing=30)
    plain = open_split(sparse, "train", root)
    pack(root, "701_StillsRaw_full")
    pack(root, "LabeledApproved_full", flat=True)
    zipped = open_split(sparse, "train", root)
    assert sorted(path.name for path in root.iterdir()) == [
        "701_StillsRaw_full.zip",
        "LabeledApproved_full.zip",
    ]
    assert zipped.fingerprint == plain.fingerprint
    np.testing.assert_array_equal(zipped[1].frames, plain[1].frames)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: (r / "LabeledApproved_full/0016E5_07959_L.png").unlink(),
         ("{r}/701_StillsRaw_full/0016E5_07959.png has no label map in {r}/LabeledApproved_full; "
         "copy the data set again, or correct the patterns")),
        (lambda r: (r / "701_StillsRaw_full/0016E5_07959.png").unlink(),
         ("{r}/LabeledApproved_full/0016E5_07959_L.png has no frame in {r}/701_StillsRaw_full and "
         "{r}/frames; copy the data set again, or correct the patterns")),
        (lambda r: (r / "701_StillsRaw_full/0016E5_07959.png").rename(
            r / "701_StillsRaw_full/still.png"),
         ("{r}/701_StillsRaw_full/still.png: does not match 701_StillsRaw_full/"
         "{{video}}_[f]{{frame}}.png; rename it, or list it in ignore_files of camvid")),
        (lambda r: save(r / "701_StillsRaw_full/0016E5_7959.png", np.zeros((4, 4, 3), np.uint8)),
         ("{r}/701_StillsRaw_full/0016E5_7959.png and {r}/701_StillsRaw_full/0016E5_07959.png are "
         "the same frame; remove one")),
        (lambda r: save(r / "LabeledApproved_full/0016E5_07959_L.png", np.full((24, 32), 3,
        np.uint8)),
         ("{r}/LabeledApproved_full/0016E5_07959_L.png: a PNG of mode L with 8 bits; expected "
         "8-bit RGB")),
        (lambda r: save(r / "LabeledApproved_full/0016E5_07959_L.png", np.zeros((12, 32, 3),
        np.uint8)),
         ("{r}/LabeledApproved_full/0016E5_07959_L.png: a label of 12x32 for an image of 24x32; "
         "copy the data set again")),
    ],
)  # fmt: skip
def test_bad_files_are_named(root, conditions, spoil, message):
    spoil(root)
    with pytest.raises(DataError) as error:
        open_split(conditions("camvid", score_spacing=2), "score", root)
    assert str(error.value) == message.format(r=root)
