"""Cityscapes on a small tree that looks like it, from folders and zips, and each bad input once."""

import io
import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from msaf_bench.catalog import read_data_set
from msaf_bench.data import open_split
from msaf_bench.data.readers.files import File
from msaf_bench.data.readers.label_maps import read_label
from msaf_bench.errors import DataError, UsageError
from msaf_bench.spec import VOID

# id and trainId of cityscapesScripts' helpers/labels.py, for the ids that have a trainId; the
# others are ignored.
TRAIN_IDS = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12,
    26: 13, 27: 14, 28: 15, 31: 16, 32: 17,
    33: 18,
}  # fmt: skip
LABEL = "gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_labelIds.png"
STILL = "leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png"
PAST = "leftImg8bit_sequence/val/frankfurt/frankfurt_000000_000293_leftImg8bit.png"


def shade(number):
    return 20 + number * 37 % 200


def greys(clip):
    return [int(frame[0, 0, 0]) for frame in clip.frames]


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)


def test_clips_end_at_the_labelled_frame(cityscapes, conditions):
    train, score = (
        open_split(conditions("cityscapes"), split, cityscapes) for split in ("train", "score")
    )
    assert [train[i].name for i in range(len(train))] == [
        "aachen_000000/00019",
        "aachen_000001/00019",
        "bad-ems_000000/00300",
    ]
    assert greys(train[2]) == [shade(298), shade(299), shade(300)]
    assert greys(score[0]) == [shade(292), shade(293), shade(294)]
    assert train[0].frames.shape == (3, 8, 16, 3)
    assert (train[0].label.shape, score[0].label.shape) == ((8, 16), (16, 32))
    assert set(np.unique(train[0].label)) == {13, VOID}  # raw 26 is car
    assert set(np.unique(score[0].label)) == {0, VOID}
    assert (train.repeated, train.skipped, train.pairs, train.exact_flow((0, 1))) == (
        0,
        0,
        (),
        None,
    )
    assert len(train.classes) == len(train.colours) == 19
    for clips in (train, score):
        assert clips.picture(0).shape == (*clips[0].label.shape, 3)
        assert clips.picture(0)[0, 0, 0] == greys(clips[0])[-1]
    with pytest.raises(IndexError):
        score[1]


def test_scored_frames_are_paired_with_the_unlabelled_one_before(cityscapes, conditions):
    clips = open_split(conditions("cityscapes", flow="dis"), "score", cityscapes)
    assert (len(clips), clips.unlabelled, clips.pairs) == (1, 1, ((1, 0),))
    assert clips[1].name == "frankfurt_000000/00293"
    assert greys(clips[1]) == [shade(292), shade(292), shade(293)]
    assert (clips[1].label == VOID).all()


def test_zips_give_what_folders_give(cityscapes, conditions, pack_cityscapes):
    plain = open_split(conditions("cityscapes"), "train", cityscapes)
    clips = [plain[i] for i in range(len(plain))]
    zipped = open_split(conditions("cityscapes"), "train", pack_cityscapes(cityscapes))
    assert {path.suffix for path in cityscapes.iterdir()} == {".zip"}
    assert zipped.fingerprint == plain.fingerprint
    for i, clip in enumerate(clips):
        for one, other in zip(clip[:2], zipped[i][:2], strict=True):
            np.testing.assert_array_equal(one, other)
        assert clip.name == zipped[i].name
    again = pickle.loads(pickle.dumps(zipped))  # as a spawned worker gets it
    np.testing.assert_array_equal(again[0].frames, clips[0].frames)


def test_the_sequence_archive_is_enough(cityscapes, conditions):
    before = open_split(conditions("cityscapes"), "score", cityscapes)[0].frames
    shutil.rmtree(cityscapes / "leftImg8bit")
    np.testing.assert_array_equal(
        open_split(conditions("cityscapes"), "score", cityscapes)[0].frames, before
    )


def test_both_forms_of_labels_say_the_same():
    raw = np.arange(34, dtype=np.uint8).reshape(2, 17)
    train = np.array([TRAIN_IDS.get(i, VOID) for i in range(34)], np.uint8).reshape(2, 17)
    data_set = read_data_set("cityscapes")
    for pixels, form in zip((raw, train), data_set.layouts[0].labels, strict=True):
        ids = read_label(File("x.png", "x.png"), png(pixels), form, data_set.classes)
        np.testing.assert_array_equal(ids, train)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_train_ids_are_taken_where_there_are_no_raw_ids(cityscapes, conditions):
    path = cityscapes / LABEL
    save(
        path.with_name(path.name.replace("labelIds", "labelTrainIds")),
        np.full((16, 32), 5, np.uint8),
    )
    clips = open_split(conditions("cityscapes"), "score", cityscapes)
    assert set(np.unique(clips[0].label)) == {0, VOID}
    path.unlink()
    clips = open_split(conditions("cityscapes"), "score", cityscapes)
    assert set(np.unique(clips[0].label)) == {5}


def test_missing_neighbours_by_rule(cityscapes, conditions):
    (cityscapes / "leftImg8bit_sequence/train/aachen/aachen_000001_000018_leftImg8bit.png").unlink()
    repeat = open_split(conditions("cityscapes"), "train", cityscapes)
    assert (len(repeat), repeat.repeated, repeat.skipped) == (3, 2, 0)
    assert greys(repeat[1]) == [shade(19)] * 3
    skip = open_split(conditions("cityscapes", history="skip"), "train", cityscapes)
    assert ([skip[i].name for i in range(len(skip))], skip.repeated, skip.skipped) == (
        ["aachen_000000/00019", "bad-ems_000000/00300"], 0, 1,
    )  # fmt: skip
    assert greys(skip[1])[-1] == shade(300) == skip.picture(1)[0, 0, 0]
    assert skip.fingerprint != repeat.fingerprint
    with pytest.raises(DataError) as error:
        open_split(conditions("cityscapes", history="error"), "train", cityscapes)
    still = cityscapes / "leftImg8bit/train/aachen/aachen_000001_000019_leftImg8bit.png"
    assert (
        str(error.value)
        == f"{still}: frame 18 of aachen_000001 is missing; add that frame, or use --history"
        " repeat or skip"
    )


def test_stills_alone_have_no_history(cityscapes, conditions):
    shutil.rmtree(cityscapes / "leftImg8bit_sequence")
    with pytest.raises(
        UsageError,
        match=r"cityscapes: no two frames of .*leftImg8bit/train are 1 source frames apart",
    ):
        open_split(conditions("cityscapes"), "train", cityscapes)
    assert greys(open_split(conditions("cityscapes", frames=1), "train", cityscapes)[0]) == [
        shade(19)
    ]


def test_opening_decodes_nothing(cityscapes, conditions):
    for path in (cityscapes / "leftImg8bit").rglob("*.png"):
        path.write_bytes(b"no picture")
    clips = open_split(conditions("cityscapes"), "train", cityscapes)
    with pytest.raises(
        DataError,
        match=r"aachen_000000_000019_leftImg8bit.png: not a complete PNG \(10 bytes\); copy it",
    ):
        clips[0]


@pytest.mark.parametrize(
    ("path", "spoil", "message"),
    [
        (LABEL, lambda p: p.unlink(),
        ("{root}/gtFine/val: no label map fits gtFine/val/*/{{video}}_{{frame}}_gtFine_labelIds.png"
         " or gtFine/val/*/{{video}}_{{frame}}_gtFine_labelTrainIds.png; correct")),
        (STILL, lambda p: p.rename(p.with_name("frankfurt_000000_000888_leftImg8bit.png")),
         ("{root}/leftImg8bit/val/frankfurt/frankfurt_000000_000888_leftImg8bit.png has no label "
         "map in {root}/gtFine/val; copy")),
        (LABEL, lambda p: p.rename(p.with_name("frankfurt_000000_000888_gtFine_labelIds.png")),
         ("{root}/gtFine/val/frankfurt/frankfurt_000000_000888_gtFine_labelIds.png has no frame in "
         "{root}/leftImg8bit/val and ")),
        (LABEL, lambda p: shutil.copy(p, p.parents[2] / "train/aachen"),
        "{root}/" + LABEL + " is in train too; copy"),
        (LABEL, lambda p: shutil.copytree(p.parent, p.parents[1] / "other"),
        "{root}/gtFine/val/other/" + LABEL.rpartition("/")[2] + " and {root}/" + LABEL
        + " are the same frame; remove one"),
    ],
)  # fmt: skip
def test_what_does_not_match_is_named_on_opening(cityscapes, conditions, path, spoil, message):
    spoil(cityscapes / path)
    with pytest.raises(DataError) as error:
        open_split(conditions("cityscapes"), "score", cityscapes)
    assert str(error.value).startswith(message.format(root=cityscapes))


@pytest.mark.parametrize(
    ("path", "pixels", "message"),
    [
        (
            LABEL,
            np.full((16, 32), 34, np.uint8),
            "id 34 in 512 pixels is not a class; expected 0 to 33 and 255 (19 classes",
        ),
        (
            LABEL,
            np.full((16, 32), 254, np.uint8),
            "id 254 in 512 pixels is not a class; expected 0 to 33 and 255 (19 classes",
        ),
        (
            LABEL,
            np.zeros((16, 32, 3), np.uint8),
            "a PNG of mode RGB with 8 bits; expected 8-bit L or P",
        ),
        (
            LABEL,
            np.zeros((16, 32), np.uint16),
            "a PNG of mode I;16 with 16 bits; expected 8-bit L or P",
        ),
        (
            LABEL,
            np.full((8, 32), 7, np.uint8),
            "a label of 8x32 for an image of 16x32; copy the data set again",
        ),
        (
            STILL,
            np.zeros((16, 32, 4), np.uint8),
            "a PNG of mode RGBA with 8 bits; expected 8-bit RGB",
        ),
        (
            PAST,
            np.zeros((8, 32, 3), np.uint8),
            "a frame of 8x32 among frames of 16x32; copy it again",
        ),
        (PAST, np.zeros((16, 32), np.uint8), "a PNG of mode L with 8 bits; expected 8-bit RGB"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_bad_files_are_named_when_they_are_read(
    cityscapes, conditions, pack_cityscapes, path, pixels, message, zipped
):
    save(cityscapes / path, pixels)
    where = f"{cityscapes}/{path}"
    if zipped:
        pack_cityscapes(cityscapes)
        where = f"{cityscapes}/{path.partition('/')[0]}_trainvaltest.zip: {path}"
    clips = open_split(conditions("cityscapes"), "score", cityscapes)
    with pytest.raises(DataError) as error:
        clips[0]
    assert str(error.value).startswith(f"{where}: {message}")


def test_train_ids_in_their_own_files_only(cityscapes, conditions):
    path = cityscapes / LABEL
    path.unlink()
    save(
        path.with_name(path.name.replace("labelIds", "labelTrainIds")),
        np.full((16, 32), 26, np.uint8),
    )
    with pytest.raises(
        DataError, match="id 26 in 512 pixels is not a class; expected 0 to 18 and 255"
    ):
        open_split(conditions("cityscapes"), "score", cityscapes)[0]


def test_a_picture_of_more_pixels_than_memory_is_not_decoded(cityscapes, conditions):
    data = bytearray((cityscapes / STILL).read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    (cityscapes / STILL).write_bytes(data)
    with pytest.raises(
        DataError, match="a PNG of 60000x60000 pixels; at most 67108864 pixels are read"
    ):
        open_split(conditions("cityscapes"), "score", cityscapes)[0]


@pytest.mark.parametrize(("split", "found", "official"), [("train", 3, 2975), ("score", 1, 500)])
def test_the_official_counts_are_asserted(cityscapes, conditions, split, found, official):
    with pytest.raises(
        DataError,
        match=f"{found} labelled frames, the official split has {official}; copy the data set",
    ):
        open_split(conditions("cityscapes", data_options={}), split, cityscapes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"alow_partial": True},
            "unknown cityscapes option 'alow_partial'; did you mean allow_partial?",
        ),
        ({"allow_partial": 1}, "cityscapes option allow_partial = 1: needs true or false"),
    ],
)
def test_a_wrong_option_is_named(cityscapes, conditions, options, message):
    with pytest.raises(UsageError) as error:
        open_split(conditions("cityscapes", data_options=options), "train", cityscapes)
    assert str(error.value) == message


def test_an_empty_root_says_what_is_expected(tmp_path, conditions):
    with pytest.raises(DataError) as error:
        open_split(conditions("cityscapes"), "train", tmp_path)
    assert (
        str(error.value)
        == f"{tmp_path / 'gtFine'}: no such folder, and no gtFine_trainvaltest.zip in {tmp_path};"
        " copy the data set there"
    )
