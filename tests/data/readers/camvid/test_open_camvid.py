"""CamVid on small trees that look like it, each bad input once, and the real data where they
are.
"""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from msaf_bench.data import open_split
from msaf_bench.errors import DataError, UsageError
from msaf_bench.spec import VOID, Conditions

TRAIN = (
    "0001TP_006690",
    "0001TP_006720",
    "0001TP_006751",
    "0006R0_f00930",
    "0006R0_f00960",
    "0006R0_f01050",
)
VAL = ("0016E5_07959", "0016E5_07961", "0016E5_07963")


def conditions(**changes):
    defaults = {
        "preset": "t", "data": "camvid", "size": (12, 16), "frames": 3, "train_spacing": 30,
        "score_spacing": 2,
        "steps": 1, "batch": 1, "lr": 0.1, "data_options": {"allow_partial": True},
    }  # fmt: skip
    return Conditions(**(defaults | changes))


def shade(name):
    return 40 + 7 * (int(name.rsplit("f", 1)[-1].rsplit("_", 1)[-1]) % 30)


@pytest.fixture
def root(tmp_path):
    for folder, names in (("train", TRAIN), ("val", VAL)):
        (tmp_path / folder).mkdir()
        (tmp_path / f"{folder}annot").mkdir()
        for i, name in enumerate(names):
            label = np.full((24, 32), i, np.uint8)
            label[:4] = 11
            Image.fromarray(np.full((24, 32, 3), shade(name), np.uint8)).save(
                tmp_path / folder / f"{name}.png"
            )
            Image.fromarray(label).save(tmp_path / f"{folder}annot" / f"{name}.png")
    return tmp_path


def history(clips, index):
    """The names of a clip's frames, known by their grey."""
    return [int(frame[0, 0, 0]) for frame in clips[index].frames]


def test_clips_follow_the_drive_and_stop_at_gaps(root):
    clips = open_split(conditions(), "train", root)
    assert [clips[i].name for i in range(len(clips))] == [
        "0001TP/06690", "0001TP/06720", "0001TP/06751", "0006R0/00930", "0006R0/00960",
        "0006R0/01050",
    ]  # fmt: skip
    expected = [(0, 0, 0), (0, 0, 1), (0, 1, 2), (3, 3, 3), (3, 3, 4), (5, 5, 5)]
    for i, frames in enumerate(expected):
        assert history(clips, i) == [shade(TRAIN[k]) for k in frames]
        assert clips[i].label[-1, -1] == i
    assert clips.repeated == 2 + 1 + 0 + 2 + 1 + 2


def test_within_a_drive_no_frame_is_on_both_sides(root):
    for number in (7965, 7967, 7969, 7971, 7973):
        for folder in ("val", "valannot"):
            (root / folder / f"0016E5_{number:05d}.png").write_bytes(
                (root / folder / "0016E5_07963.png").read_bytes()
            )
    own = conditions(train_spacing=2, data_options={"allow_partial": True, "within_drive": True})
    learnt, scored = (open_split(own, split, root) for split in ("train", "score"))
    names = [learnt[i].name for i in range(len(learnt))]
    assert names == [
        *(f"{n[:6]}/{int(n[7:].lstrip('f')):05d}" for n in TRAIN),
        *(f"0016E5/0{n}" for n in (7959, 7961, 7963, 7965)),
    ]
    # the drive's past is real, that of frames a second apart is still
    assert history(learnt, 8) == [shade(name) for name in VAL]
    assert history(learnt, 2) == [shade(TRAIN[2])] * 3
    assert [scored[i].name for i in range(len(scored))] == ["0016E5/07971", "0016E5/07973"]
    assert scored.repeated == 0
    with pytest.raises(UsageError, match="within_drive scores a half of val"):
        open_split(conditions(data_options={"within_drive": True, "scored": "test"}), "score", root)
    with pytest.raises(UsageError, match="within_drive = 1: needs true or false"):
        open_split(conditions(data_options={"within_drive": 1}), "score", root)
    with pytest.raises(DataError, match="too few for two halves"):
        open_split(own.model_copy(update={"frames": 9}), "score", root)


def test_two_seconds_are_not_one(root):
    for folder in ("train", "trainannot"):
        (root / folder / "0001TP_006720.png").unlink()
    clips = open_split(conditions(), "train", root)
    assert history(clips, 1) == [shade(TRAIN[2])] * 3


def test_spacing_zero_repeats_the_newest_frame(root):
    clips = open_split(conditions(train_spacing=0), "train", root)
    assert history(clips, 2) == [shade(TRAIN[2])] * 3
    assert clips.repeated == 0


def test_close_frames_are_matched_exactly(root):
    clips = open_split(conditions(), "score", root)
    assert history(clips, 2) == [shade(name) for name in VAL]
    with pytest.raises(
        UsageError,
        match=r"camvid: no two frames of .*val are 3 source frames apart; existing steps are \[2\]",
    ):
        open_split(conditions(score_spacing=3), "score", root)


def test_sizes_void_and_read_only(root):
    train, score = (
        open_split(conditions(), "train", root)[3],
        open_split(conditions(), "score", root)[2],
    )
    assert train.frames.shape == score.frames.shape == (3, 12, 16, 3)
    assert train.label.shape == (12, 16)
    assert score.label.shape == (24, 32)
    assert set(np.unique(score.label)) == {2, VOID}
    with pytest.raises(ValueError, match="read-only"):
        score.label[0, 0] = 1


def test_frames_are_averaged_and_labels_are_not(root):
    picture = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    label = np.random.default_rng(0).integers(0, 11, (24, 32), np.uint8)
    Image.fromarray(picture).save(root / "train" / "0001TP_006690.png")
    Image.fromarray(label).save(root / "trainannot" / "0001TP_006690.png")
    clip = open_split(conditions(), "train", root)[0]
    np.testing.assert_array_equal(
        clip.frames[-1], cv2.resize(picture, (16, 12), interpolation=cv2.INTER_AREA)
    )
    blocks = label.reshape(12, 2, 16, 2)
    assert (blocks == clip.label[:, None, :, None]).any((1, 3)).all()


def test_palette_labels_are_read_as_indices(root):
    path = root / "valannot" / "0016E5_07959.png"
    label = Image.fromarray(np.full((24, 32), 7, np.uint8))
    label = label.convert("P")
    label.putdata([7] * (24 * 32))
    label.putpalette([255 - i for i in range(36)])
    label.save(path)
    with Image.open(path) as image:
        assert image.mode == "P"
    assert (open_split(conditions(), "score", root)[0].label == 7).all()


def test_the_fingerprint_is_that_of_the_bytes(root):
    before = open_split(conditions(), "train", root).fingerprint
    moved = root.parent / f"{root.name}-moved"
    root.rename(moved)
    assert open_split(conditions(), "train", moved).fingerprint == before
    Image.fromarray(np.zeros((24, 32), np.uint8)).save(moved / "trainannot" / "0001TP_006690.png")
    moved.rename(root)
    assert open_split(conditions(size=(12, 18)), "train", root).fingerprint != before


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def wide_image(path):
    """16 bits a channel, which Pillow cannot write."""
    cv2.imwrite(str(path), np.zeros((24, 32, 3), np.uint16))


def folder_instead(path):
    path.unlink()
    path.mkdir()


def wide_name(path):
    path.rename(path.with_name("frame.png"))
    label = path.parent.with_name("trainannot") / path.name
    label.rename(label.with_name("frame.png"))


IMAGE, LABEL = "train/0001TP_006690.png", "trainannot/0001TP_006690.png"
BAD = {
    "missing label": (LABEL, Path.unlink,
    f"{IMAGE} has no label map in {{root}}/trainannot; copy the data set again"),
    "missing image": (IMAGE, Path.unlink,
    f"{LABEL} has no frame in {{root}}/train; copy the data set again"),
    "cut": (IMAGE, cut, f"{IMAGE}: not a complete PNG ("),
    "cut label": (LABEL, cut, f"{LABEL}: not a complete PNG ("),
    "empty": (IMAGE, lambda p: p.write_bytes(b""),
    f"{IMAGE}: not a complete PNG (0 bytes); copy it again"),
    "no PNG": (IMAGE, lambda p: save(p, np.zeros((24, 32, 3), np.uint8), format="JPEG"),
    f"{IMAGE}: not a complete PNG ("),
    "folder": (IMAGE, folder_instead,
    f"{IMAGE}: cannot be read (a folder, not a file); copy it again"),
    "16 bits": (IMAGE, wide_image, f"{IMAGE}: a PNG of mode RGB with 16 bits; expected 8-bit RGB"),
    "grey 16": (
        LABEL, lambda p: save(p, np.zeros((24, 32), np.uint16)),
        f"{LABEL}: a PNG of mode I;16 with 16 bits; expected 8-bit L or P",
    ),
    "alpha": (IMAGE, lambda p: save(p, np.zeros((24, 32, 4), np.uint8)),
    f"{IMAGE}: a PNG of mode RGBA with 8 bits; expected 8-bit RGB"),
    "colours": (
        LABEL, lambda p: save(p, np.zeros((24, 32, 3), np.uint8)),
        f"{LABEL}: a PNG of mode RGB with 8 bits; expected 8-bit L or P",
    ),
    "sizes": (
        LABEL, lambda p: save(p, np.zeros((20, 32), np.uint8)),
        f"{LABEL}: a label of 20x32 for an image of 24x32; copy the data set again",
    ),
    "raw ids": (
        LABEL, lambda p: save(p, np.full((24, 32), 26, np.uint8)),
        f"{LABEL}: id 26 in 768 pixels is not a class; expected 0 to 11 (11 classes and void)",
    ),
    "name": (IMAGE, wide_name,
    "trainannot/frame.png: does not match trainannot/{{video}}_[f]{{frame}}.png; rename it"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_named(root, case):
    path, spoil, message = BAD[case]
    spoil(root / path)
    with pytest.raises(DataError) as error:
        open_split(conditions(), "train", root)
    assert str(error.value).startswith(f"{root}/{message.format(root=root)}")
    assert "\n" not in str(error.value)


def test_frames_of_two_sizes_are_refused(root):
    for folder, shape in (("train", (12, 16, 3)), ("trainannot", (12, 16))):
        Image.fromarray(np.zeros(shape, np.uint8)).save(root / folder / "0006R0_f00930.png")
    with pytest.raises(
        DataError, match=r"0006R0_f00930.png: a frame of 12x16 among frames of 24x32; copy it again"
    ):
        open_split(conditions(), "train", root)


def test_half_copied_data_says_how_much_is_missing(root):
    for name in TRAIN[2:]:
        (root / "trainannot" / f"{name}.png").unlink()
    with pytest.raises(
        DataError,
        match="train/0001TP_006751.png has no label map in .*, and 3 more of 6; copy the data",
    ):
        open_split(conditions(), "train", root)


def test_another_count_than_the_official_split_needs_permission(root):
    with pytest.raises(
        DataError,
        match="train: 6 labelled frames, the official split has 367; copy the data set again",
    ):
        open_split(conditions(data_options={}), "train", root)
    with pytest.raises(
        DataError,
        match="val: 3 labelled frames, the official split has 101; copy the data set again",
    ):
        open_split(conditions(data_options={"allow_partial": False}), "score", root)


def test_splits_that_share_a_frame_are_refused(root):
    for folder in ("", "annot"):
        (root / f"val{folder}" / "0001TP_006690.png").write_bytes(
            (root / f"train{folder}" / "0001TP_006690.png").read_bytes()
        )
    with pytest.raises(DataError, match=r"trainannot/0001TP_006690.png is in val too; copy"):
        open_split(conditions(), "train", root)


def test_folders_that_are_not_there_or_empty(root, tmp_path_factory):
    with pytest.raises(
        DataError,
        match=(
            r"no files of camvid found; --root must hold 701_StillsRaw_full/"
            r"\{video\}_\[f\]\{frame\}.png with LabeledApproved_full/.* or train/.* with trainannot"
        ),
    ):
        open_split(conditions(), "train", tmp_path_factory.mktemp("nothing"))
    for path in (root / "valannot").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="valannot: no label map fits"):
        open_split(conditions(), "score", root)


def test_pairs_are_labelled_neighbours_without_a_gap(root):
    train, score = open_split(conditions(), "train", root), open_split(conditions(), "score", root)
    # 30, 31 and 30 frames apart; then another drive, and a gap
    assert train.pairs == ((0, 1), (1, 2), (3, 4))
    assert score.pairs == ((0, 1), (1, 2))
    assert train.exact_flow((0, 1)) is None


def test_clips_without_history_are_left_out(root):
    clips = open_split(conditions(history="skip"), "train", root)
    assert [clips[i].name for i in range(len(clips))] == ["0001TP/06751"]
    assert (clips.repeated, clips.skipped, clips.pairs) == (0, 5, ())
    assert history(clips, 0) == [shade(name) for name in TRAIN[:3]]
    assert clips[0].label[-1, -1] == 2
    two = open_split(conditions(history="skip", frames=2), "train", root)
    assert ([two[i].name[-5:] for i in range(len(two))], two.pairs) == (
        ["06720", "06751", "00960"],
        ((0, 1),),
    )


def test_a_missing_frame_can_be_an_error(root):
    with pytest.raises(DataError) as error:
        open_split(conditions(history="error"), "train", root)
    path = root / "train/0001TP_006690.png"
    assert (
        str(error.value)
        == f"{path}: frame 6660 of 0001TP is missing; add that frame, or use --history repeat or"
        " skip"
    )


def test_a_picture_has_the_size_of_its_label_map(root):
    train, score = open_split(conditions(), "train", root), open_split(conditions(), "score", root)
    np.testing.assert_array_equal(train.picture(3), train[3].frames[-1])
    np.testing.assert_array_equal(score.picture(1), np.full((24, 32, 3), shade(VAL[1]), np.uint8))


def test_the_test_split_can_be_scored(root):
    for folder in ("", "annot"):
        (root / f"test{folder}").mkdir()
        (root / f"test{folder}" / "Seq05VD_f00030.png").write_bytes(
            (root / f"val{folder}" / "0016E5_07959.png").read_bytes()
        )
        (root / f"test{folder}" / "Seq05VD_f00060.png").write_bytes(
            (root / f"val{folder}" / "0016E5_07961.png").read_bytes()
        )
    options = {"allow_partial": True, "scored": "test"}
    clips = open_split(conditions(data_options=options, score_spacing=30), "score", root)
    assert ([clips[i].name for i in range(len(clips))], clips.pairs) == (
        ["Seq05VD/00030", "Seq05VD/00060"],
        ((0, 1),),
    )
    with pytest.raises(
        DataError,
        match="test: 2 labelled frames, the official split has 233; copy the data set again",
    ):
        open_split(conditions(data_options={"scored": "test"}, score_spacing=30), "score", root)


def test_folders_may_be_zips(root):
    plain = open_split(conditions(), "train", root)
    clips = [plain[i] for i in range(len(plain))]
    for folder in ("train", "trainannot", "val"):
        with zipfile.ZipFile(root / f"{folder}.zip", "w") as packed:
            for path in (root / folder).iterdir():
                packed.write(path, f"{folder}/{path.name}")
                path.unlink()
        (root / folder).rmdir()
    zipped = open_split(conditions(), "train", root)
    assert (zipped.fingerprint, len(zipped)) == (plain.fingerprint, len(clips))
    for i, clip in enumerate(clips):
        np.testing.assert_array_equal(zipped[i].frames, clip.frames)
        np.testing.assert_array_equal(zipped[i].label, clip.label)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scored": "tests"}, "camvid option scored = 'tests': needs 'val' or 'test'"),
        (
            {"alow_partial": True},
            "unknown camvid option 'alow_partial'; did you mean allow_partial?",
        ),
        ({"allow_partial": "yes"}, "camvid option allow_partial = 'yes': needs true or false"),
    ],
)
def test_a_wrong_option_is_named(root, options, message):
    with pytest.raises(UsageError) as error:
        open_split(conditions(data_options=options), "train", root)
    assert str(error.value) == message


@pytest.mark.slow
def test_the_official_split(camvid_root):
    full = conditions(size=(45, 60), data_options={}, score_spacing=30)
    train, score = (open_split(full, part, camvid_root) for part in ("train", "score"))
    assert (len(train), len(score)) == (367, 101)
    assert train.repeated == 5 * (2 + 1)  # five stretches without a gap
    assert score.repeated == 15 * 2 + 15
    for clips in (train, score):
        ids = np.bincount(
            np.concatenate([clips[i].label.ravel() for i in range(len(clips))]), minlength=256
        )
        assert (ids[:11] > 0).all()
        assert ids[VOID] > 0
        assert ids[11:VOID].sum() == 0
    assert score[0].label.shape == (360, 480)
    assert score[0].name == "0016E5/07959"
    np.testing.assert_array_equal(score[20].frames[1], score[5].frames[2])


@pytest.mark.slow
def test_pairs_of_the_real_splits(camvid_root):
    full = conditions(size=(45, 60), data_options={}, score_spacing=30)
    train, score = open_split(full, "train", camvid_root), open_split(full, "score", camvid_root)
    assert (len(train.pairs), len(score.pairs)) == (362, 100)  # five stretches of train, one of val
    assert score.picture(0).shape == (360, 480, 3)
    skipped = open_split(full.model_copy(update={"history": "skip"}), "score", camvid_root)
    assert (len(skipped), skipped.skipped, len(skipped.pairs)) == (71, 30, 70)
