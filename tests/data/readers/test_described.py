"""Data sets described by files: look-alikes of the shipped ones, one's own, and each bad input."""

import shutil

import numpy as np
import pytest
from data.readers import look_alikes

from msaf_bench.catalog import list_data_sets, read_conditions, read_data_set
from msaf_bench.data import open_split
from msaf_bench.data.readers.downloads import find_needs
from msaf_bench.errors import DataError, UsageError
from msaf_bench.spec import VOID
from msaf_bench.sweep.plan import conditions_difference

PARTIAL = {"data_options": {"allow_partial": True}}


def opened(data, root, split="score", **changes):
    conditions = read_conditions("smoke", str(data), {**PARTIAL, **changes})
    return open_split(conditions, split, root)


def names(clips):
    return [clips[i].name for i in range(len(clips))]


@pytest.mark.parametrize("name", list_data_sets()[1:])
def test_every_data_set_says_where_it_is_from(name):
    data_set = read_data_set(name)
    assert data_set.name == name
    assert data_set.title
    assert data_set.source
    assert data_set.licence
    assert data_set.size
    assert all(dict(data_set.splits)[role].count for role in (data_set.train, data_set.scored))


def test_vspw(tmp_path):
    root = look_alikes.vspw(tmp_path)
    train, val = opened("vspw", root, "train"), opened("vspw", root)
    assert (len(train), len(val), len(train.classes)) == (8, 8, 124)
    assert names(val)[:2] == ["val_0_clip/00001", "val_0_clip/00002"]
    assert val.pairs == ((0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7))
    label = val[1].label
    assert label.shape == look_alikes.SIZE
    assert set(np.unique(label)) == {0, 1, 2, VOID}  # ids 1 to 3 of the file
    assert (label[-2:] == VOID).all()
    assert (label[0] == VOID).all()
    assert len(set(val.colours)) == 124
    with pytest.raises(DataError, match=r"8 labelled frames, the official split has 24502"):
        opened("vspw", root, data_options={})
    with pytest.raises(DataError, match="'test_0_clip' is not a labelled video or frame"):
        opened("vspw", root, data_options={"scored": "test"})


def test_kitti_step(tmp_path):
    root = look_alikes.kitti_step(tmp_path)
    train, val = opened("kitti-step", root, "train"), opened("kitti-step", root)
    assert (len(train), names(val)) == (8, [f"0002/{i:05d}" for i in range(4)])
    assert set(np.unique(val[2].label)) == {0, 1, 2, VOID}
    np.testing.assert_array_equal(val[2].label[:-1], look_alikes.ids(2)[:-1])
    before, moved = val[2].frames, tmp_path / "images"
    for split, videos in (("train", ("0000", "0001")), ("val", ("0002",))):
        for video in videos:
            shutil.copytree(root / f"training/image_02/{video}", moved / split / video)
    shutil.rmtree(root / "training")
    np.testing.assert_array_equal(opened("kitti-step", root)[2].frames, before)


def test_cityscapes_vps(tmp_path):
    root = look_alikes.cityscapes_vps(tmp_path)
    train, val = opened("cityscapes-vps", root, "train"), opened("cityscapes-vps", root)
    assert (len(train), len(val)) == (12, 6)
    assert names(val)[-3:] == [f"frankfurt_000005/{n:05d}" for n in (19, 24, 29)]
    assert val.pairs == tuple((i, i + 1) for i in range(5))
    close = opened("cityscapes-vps", root, score_spacing=1)
    assert close.repeated == 0  # the frames between are there


def test_bdd100k_is_single_pictures(tmp_path):
    root = look_alikes.bdd100k(tmp_path)
    val = opened("bdd100k", root, frames=1)
    assert (names(val), val.pairs) == (["dd-4/00000", "ee-5/00000"], ())
    with pytest.raises(UsageError, match="--set frames=1 needs none"):
        opened("bdd100k", root)


def test_videos_of_ones_own(tmp_path):
    root = look_alikes.own_videos(tmp_path)
    train, val = (opened(root / "mine.toml", root, split) for split in ("train", "score"))
    assert names(train) == [f"ride_{i}/{n:05d}" for i in (0, 1) for n in (4, 8)]
    assert names(val) == [f"ride_{i}/{n:05d}" for i in (2, 3) for n in (4, 8)]
    assert (train.repeated, len(train.colours)) == (0, 3)
    clip = val[1]
    still = opened(root / "mine.toml", root, score_spacing=0)[1]
    assert (clip.frames[0] != clip.frames[2]).any()
    np.testing.assert_array_equal(still.frames[0], clip.frames[2])
    np.testing.assert_array_equal(clip.label, look_alikes.ids(8))
    # the square is where its label is, so frame 8 of the video was read and no other
    bright = val.picture(1)[10, :, 0] > 180
    np.testing.assert_array_equal(bright, look_alikes.picture(3, 8)[10, :, 0] > 180)


def test_folders_may_be_zips(tmp_path, pack):
    vspw = look_alikes.vspw(tmp_path / "vspw")
    kitti = look_alikes.kitti_step(tmp_path / "kitti")
    own = look_alikes.own_videos(tmp_path / "own")
    for root, data, folders in (
        (vspw, "vspw", {"data": "data.zip"}),
        (kitti, "kitti-step", {"training": "data_tracking_image_2.zip", "panoptic_maps": None}),
        (own, own / "mine.toml", {"labels": "labels.zip"}),
    ):
        plain = opened(data, root)
        before = [plain[i] for i in range(len(plain))]
        for folder, archive in folders.items():
            pack(root, folder, archive)
        zipped = opened(data, root)
        assert zipped.fingerprint == plain.fingerprint
        for one, other in zip(before, (zipped[i] for i in range(len(zipped))), strict=True):
            np.testing.assert_array_equal(one.frames, other.frames)
            np.testing.assert_array_equal(one.label, other.label)
    pack(own, "videos")
    with pytest.raises(DataError, match=r"videos/ride_0.mp4: videos inside a zip cannot be read"):
        opened(own / "mine.toml", own)


def test_sparse_labels_are_paired_with_their_unlabelled_neighbours(tmp_path):
    root = look_alikes.own_videos(tmp_path)
    val = opened(root / "mine.toml", root)
    assert (len(val), val.unlabelled) == (4, 4)
    assert val.pairs == ((4, 0), (5, 1), (6, 2), (7, 3))
    between = val[5]
    assert (between.name, between.label.shape) == ("ride_2/00007", look_alikes.SIZE)
    assert (between.label == VOID).all()
    labelled = val[1]  # frames 6, 7, 8; the other one has 5, 6, 7
    np.testing.assert_array_equal(between.frames[1:], labelled.frames[:2])
    assert (val.picture(5) != val.picture(1)).any()
    with pytest.raises(IndexError):
        val[8]
    alone = opened(root / "mine.toml", root, flow="none")  # nothing that needs them
    assert (alone.unlabelled, alone.pairs) == (0, ())
    assert alone.fingerprint == val.fingerprint
    train = opened(root / "mine.toml", root, "train")
    assert (train.unlabelled, train.pairs) == (0, ())
    # a label at the first frame of a video has only a frame after it
    look_alikes.save(root / "labels/ride_3/000000.png", look_alikes.ids(0))
    first = opened(root / "mine.toml", root)
    assert first.pairs[2] == (2, 7)
    assert first[7].name == "ride_3/00001"


def test_a_description_is_part_of_the_trial_and_its_path_is_not(tmp_path):
    root = look_alikes.own_videos(tmp_path / "a", videos=2)
    other = shutil.copytree(root, tmp_path / "b")
    one, two = (read_conditions("smoke", str(each / "mine.toml")) for each in (root, other))
    assert one.key == two.key
    assert one.described.classes == ("ground", "thing", "sky")
    (other / "mine.toml").write_text(look_alikes.OWN.replace("thing", "car"))
    assert read_conditions("smoke", str(other / "mine.toml")).key != one.key
    assert "described" not in read_conditions("smoke", "camvid").canonical(without={"described"})
    (other / "street.toml").write_text(look_alikes.OWN)
    with pytest.raises(UsageError, match="data set 'street' has a name that is taken"):
        read_conditions("smoke", str(other / "street.toml"))


def test_what_another_description_changed_is_named(tmp_path):
    root = look_alikes.own_videos(tmp_path, videos=2)
    one = read_conditions("smoke", str(root / "mine.toml"))
    (root / "mine.toml").write_text(look_alikes.OWN.replace("thing", "car"))
    other = read_conditions("smoke", str(root / "mine.toml"))
    assert conditions_difference(one, other) == "described with other classes"


def test_frames_keep_their_shape_in_a_preset():
    quick, paper = (read_conditions(preset, "vspw") for preset in ("quick", "paper"))
    assert quick.size == (80, 144)  # the area of 96 x 128, the shape of 480 x 853
    assert paper.size == (480, 853)  # they do not grow
    assert paper.crop == (480, 769)
    assert (quick.train_spacing, read_conditions("quick", "cityscapes-vps").train_spacing) == (1, 5)


@pytest.mark.parametrize(
    ("splits", "train", "val"),
    [
        ('{ train = "ride_[01]", val = ["ride_2", "ride_3"] }', (0, 1), (2, 3)),
        ('{ train = "train.txt", val = {} }', (0, 2), (1, 3)),
        ("{ train = {}, val = { ranges = { ride_1 = [0, 100] } } }", (0, 2, 3), (1,)),
        ("{ train = 0.75, val = 0.25 }", (0, 1, 2), (3,)),
        ('{ train = "frames.txt", val = "ride_3" }', (0,), (3,)),
    ],
)
def test_ways_to_split(tmp_path, splits, train, val):
    root = look_alikes.own_videos(tmp_path)
    (root / "train.txt").write_text("ride_0\nride_2 ignored words\n")
    (root / "frames.txt").write_text("ride_0/000004\nlabels/ride_0/000008.png\n")
    own = look_alikes.OWN.replace("{ train = 0.5, val = 0.5 }", splits)
    (root / "mine.toml").write_text(own)
    for split, videos in (("train", train), ("score", val)):
        expected = [f"ride_{i}/{n:05d}" for i in videos for n in (4, 8)]
        assert names(opened(root / "mine.toml", root, split)) == expected


def test_names_may_have_blanks_and_brackets(tmp_path):
    root = look_alikes.own_videos(tmp_path, videos=2)
    for kind, suffix in (("videos", ".mp4"), ("labels", "")):
        (root / f"{kind}/ride_0{suffix}").rename(root / f"{kind}/a walk [1]{suffix}")
        (root / f"{kind}/ride_1{suffix}").rename(root / f"{kind}/b ähm 2.0{suffix}")
    (root / "val.txt").write_bytes("\ufeffb ähm 2.0\r\n".encode())
    splits = '{ train = "a walk [1]", val = "val.txt" }'
    own = look_alikes.OWN.replace("{ train = 0.5, val = 0.5 }", splits)
    (root / "mine.toml").write_text(own)
    assert names(opened(root / "mine.toml", root, "train")) == [
        "a walk [1]/00004",
        "a walk [1]/00008",
    ]
    assert names(opened(root / "mine.toml", root)) == ["b ähm 2.0/00004", "b ähm 2.0/00008"]


def test_frames_and_label_maps_may_lie_side_by_side(tmp_path):
    for video in range(2):
        for number in range(3):
            place = tmp_path / f"{video}/{number}"
            look_alikes.save(place.with_suffix(".png"), look_alikes.picture(video, number))
            look_alikes.save(place.with_name(f"{number}_gt.png"), look_alikes.ids(number))
    own = look_alikes.OWN.replace("videos/{video}.mp4", "{video}/{frame}.png")
    own = own.replace("labels/{video}/{frame}.png", "{video}/{frame}_gt.png")
    (tmp_path / "mine.toml").write_text(own)
    assert names(opened(tmp_path / "mine.toml", tmp_path)) == [f"1/{n:05d}" for n in range(3)]


def _rename(old, new):
    return lambda root: (root / old).rename(root / new)


def _cut(root):
    path = root / "videos/ride_3.mp4"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _stray_id(root):
    look_alikes.save(root / "labels/ride_2/000004.png", np.full(look_alikes.SIZE, 9, np.uint8))


def _write(name, text):
    return lambda root: (root / name).write_text(text)


BAD = {
    "labels without frames": (
        lambda root: (root / "videos/ride_2.mp4").unlink(), {},
        "labels/ride_2/000004.png has no frame in {root}/videos, and 1 more of 4; copy",
    ),
    "no label map": (
        None, {"labels/{video}": "truth/{video}"},
        "{root}/truth: no such folder, and no truth.zip in {root}; copy",
    ),
    "no frame": (
        None, {"videos/{video}.mp4": "videos/{video}.avi"},
        "{root}: no frame fits videos/{{video}}.avi; correct the pattern",
    ),
    "a file twice": (
        lambda root: shutil.copy(root / "labels/ride_2/000004.png", root / "labels/ride_2/4.png"),
        {},
        "{root}/labels/ride_2/000004.png are the same frame; remove one",
    ),
    "a name that fits nothing": (
        lambda root: shutil.copy(
            root / "labels/ride_2/000004.png", root / "labels/ride_2/preview.png"
        ),
        {},
        "{root}/labels/ride_2/preview.png: does not match labels/{{video}}/{{frame}}.png; rename",
    ),
    "a video that is cut": (_cut, {}, "{root}/videos/ride_3.mp4: "),
    "a list that is not there": (
        None, {"val = 0.5": 'val = "val.txt"', "train = 0.5": 'train = "ride_0"'},
        "{root}/val.txt: the list of split val cannot be read (No such file or directory); copy",
    ),
    "a list that names nothing there": (
        _write("val.txt", "ride_9\nride_2\n"),
        {"val = 0.5": 'val = "val.txt"', "train = 0.5": 'train = "ride_0"'},
        "{root}/val.txt: 'ride_9' is not a labelled video or frame; copy",
    ),
    "an empty list": (
        _write("val.txt", "\n"),
        {"val = 0.5": 'val = "val.txt"', "train = 0.5": 'train = "ride_0"'},
        "{root}/val.txt: no names in it; write one video or VIDEO/FRAME per line",
    ),
    "a share of no video": (
        None, {"train = 0.5, val = 0.5": "train = 0.9, val = 0.1"},
        "split val: a share of 0.1 of 4 videos is empty; give it a larger share",
    ),
    "a selection of nothing": (
        None, {"val = 0.5": 'val = "walk_*"', "train = 0.5": 'train = "ride_*"'},
        "{root}/labels: no label map is of split val (videos walk_*)",
    ),
    "a frame in both splits": (
        None, {"val = 0.5": 'val = "ride_[12]"', "train = 0.5": 'train = "ride_[01]"'},
        "{root}/labels/ride_1/000004.png is in train too, and 1 more of 4; copy",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_one_line_on_opening(tmp_path, case):
    root = look_alikes.own_videos(tmp_path)
    spoil, changes, message = BAD[case]
    text = look_alikes.OWN
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (root / "mine.toml").write_text(text)
    if spoil:
        spoil(root)
    options = {} if "list" in case else PARTIAL["data_options"]
    with pytest.raises(DataError) as error:
        opened(root / "mine.toml", root, data_options=options)
    assert message.format(root=root) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_id_that_no_class_has_is_named(tmp_path):
    root = look_alikes.own_videos(tmp_path)
    _stray_id(root)
    clips = opened(root / "mine.toml", root)
    with pytest.raises(DataError, match="id 9 in 1536 pixels is not a class; expected 0 to 2"):
        clips[0]
    ignored = look_alikes.OWN.replace(
        '"labels/{video}/{frame}.png"', '{ pattern = "labels/{video}/{frame}.png", ignore = [9] }'
    )
    (root / "mine.toml").write_text(ignored)
    assert (opened(root / "mine.toml", root)[0].label == VOID).all()


WRONG = {
    '["ground", "thing"]': (
        'classes = ["ground", "thing", "sky"]',
        'classes = ["ground", "thing", "ground"]',
        "'ground' is listed twice or is void",
    ),
    "colours": ("size =", "colours = [[1, 2, 3]]\nsize =", "1 colours for 3 classes; give one"),
    "a colour": ("size =", "colours = [[1, 2, 300]]\nsize =", "less than or equal to 255"),
    "field": ("{frame}.png", "{number}.png", "{number} is not a field; write {split}, {video}"),
    "no video": ("labels/{video}/", "labels/", "needs {video} in place of the video's name"),
    "outside": ('"labels/', '"../labels/', "write a path below the data set's folder"),
    "suffix": ("{frame}.png", "{frame}", "needs the suffix of the files, such as .png"),
    "bracket": ("{frame}.png", "[a{frame}.png", "a bracket is not closed"),
    "key": ("size =", "clases = 1\nsize =", "unknown key 'clases'; did you mean classes, labels?"),
    "labels in a video": ("{frame}.png", "{frame}.mp4", "label maps in a video are not exact"),
    "frames": ("videos/{video}.mp4", "videos/{video}/{frame}.mp4", "contains its frames"),
    "shares": ("val = 0.5", "val = 0.6", "the shares of the videos are more than 1 together"),
    "splits": ("val = 0.5", "test = 0.5", "unknown split 'val'; choose one of: test, train"),
    "one split": ("train = 0.5, ", "", "at least 2 items"),
    "ids": (
        '"labels/{video}/{frame}.png"',
        '{ pattern = "l/{video}/{frame}.png", ids = { ground = 1, thing = 1, sky = 2 } }',
        "id 1 is 'ground' and 'thing'; keep one of them",
    ),
    "class without id": (
        '"labels/{video}/{frame}.png"',
        '{ pattern = "l/{video}/{frame}.png", ids = { ground = 1, thing = 2 } }',
        "labels.ids: class 'sky' has none; name every class",
    ),
    "class that is none": (
        '"labels/{video}/{frame}.png"',
        '{ pattern = "l/{video}/{frame}.png", ids = { ground = 1, thing = 2, skyy = 3 } }',
        "unknown class 'skyy'; did you mean sky?",
    ),
    "a class that is blank": ('"sky"', '" "', "classes: ' ': write the name on one line"),
    "no list": ('["ground", "thing", "sky"]', '"sky"', "classes: needs a list, not 'sky'"),
    "no table": ("{ train = 0.5, val = 0.5 }", "3", "splits: needs a table, not 3"),
    "a split by its name": ("val = 0.5", "val = -1", "splits.'val'.share: Input should be"),
    "an empty share": ("val = 0.5", "val = 0", "splits.'val': needs a share, videos or a list"),
    "an empty list": ("val = 0.5", "val = []", "splits.'val': needs a share, videos or a list"),
    "key of a split": (
        "val = 0.5",
        "val = { shar = 1 }",
        "unknown key 'shar'; did you mean share?",
    ),
    "key of a layout": ("frames =", "frmes =", "unknown key 'frmes'; did you mean frames?"),
    "no labels": ("labels =", "# labels =", "mine.toml: labels: missing; give it"),
    "a list elsewhere": (
        "val = 0.5",
        'val = { list_file = "/val.txt" }',
        "splits.'val'.list_file: '/val.txt': write a path below the data set's folder",
    ),
    "one side": ("[32, 48]", "[32]", "size: has too few values"),
    "two layouts": ("size =", "layouts = []\nsize =", "frames and layouts: keep one of them"),
    "first id": (
        '"labels/{video}/{frame}.png"',
        '{ pattern = "labels/{video}/{frame}.png", first = 300 }',
        "mine.toml: labels.first: Input should be less than or equal to 255, not 300",
    ),
    "an id that is none": (
        '"labels/{video}/{frame}.png"',
        '{ pattern = "labels/{video}/{frame}.png", ids = { ground = "a" } }',
        "labels.ids.'ground': Input should be a valid integer",
    ),
    "label maps that lose": ("{frame}.png", "{frame}.jpg", "label maps are read from PNGs"),
    "a suffix": ("{video}.mp4", "{video}.gif", "needs one of the suffixes .png, .jpg"),
    "ignored class": (
        '"labels/{video}/{frame}.png"',
        '{ pattern = "l/{video}/{frame}.png", ignore = [1] }',
        "labels.ignore: id 1 is class 'thing'; leave it out, or give ids",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_description_that_cannot_be_is_one_line(tmp_path, case):
    old, new, message = WRONG[case]
    assert old in look_alikes.OWN
    (tmp_path / "mine.toml").write_text(look_alikes.OWN.replace(old, new))
    with pytest.raises(UsageError) as error:
        read_conditions("smoke", str(tmp_path / "mine.toml"))
    assert message in str(error.value)
    assert str(error.value).startswith("mine.toml: ")
    assert "\n" not in str(error.value)


def test_plans(tmp_path):
    own = read_data_set(str(look_alikes.own_videos(tmp_path / "own") / "mine.toml"))
    needs = find_needs(own, "miou", ("train", "val"), 3, 1, tmp_path / "own")
    assert [(n.folder, n.files, n.there, n.exact) for n in needs] == [
        ("labels", 8, 8, True),
        ("videos", 4, 4, True),
    ]
    vspw = read_data_set("vspw")
    before = find_needs(vspw, "miou", ("val",), 3, 1, None)
    assert [(n.folder, n.files, n.size) for n in before] == [("data", 2 * 24_502, None)]
    after = find_needs(vspw, "miou", ("val",), 3, 1, look_alikes.vspw(tmp_path / "vspw"))
    assert [(n.folder, n.files, n.there) for n in after] == [("data", 16, 16)]
    kitti = read_data_set("kitti-step")
    after = find_needs(kitti, "tc", ("val",), 3, 1, look_alikes.kitti_step(tmp_path / "kitti"))
    assert [(n.folder, n.files) for n in after] == [("training", 4)]
