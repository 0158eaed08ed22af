"""Label maps on disk: what is listed, paired, read and refused."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from msaf_bench.data.labels.classes import class_set
from msaf_bench.data.labels.files import read_ids, read_label_map
from msaf_bench.data.labels.pairs import list_label_maps, pair_label_maps
from msaf_bench.errors import DataError

IDS = np.array([[0, 1, 2], [1, 0, 255]], np.uint8)
THREE = class_set("3")
CITYSCAPES = class_set("cityscapes19")


def save(path, array=IDS):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array) if path.suffix == ".npy" else Image.fromarray(array).save(path)
    return path


def test_listing_is_blind_to_the_other_pictures_of_cityscapes(tmp_path):
    save(tmp_path / "x_000000_000000_gtFine_color.png")
    save(tmp_path / "x_000000_000000_gtFine_instanceIds.png")
    with pytest.raises(DataError, match="no label maps, only colours and instances"):
        list_label_maps(tmp_path)
    for name in ("b/f10.png", "b/f9.png", "a.b.npy"):
        save(tmp_path / name)
    assert list(list_label_maps(tmp_path).by_key) == ["a.b", "b/f9", "b/f10"]


def test_pairs_are_of_one_key(tmp_path):
    for name in ("p/v/1.png", "p/v/2.png", "t/v/2.npy", "t/v/3.png"):
        save(tmp_path / name)
    pairs = pair_label_maps(tmp_path / "p", tmp_path / "t", THREE)
    assert [(pair.name, pair.prediction.name, pair.truth.name) for pair in pairs.both] == [
        ("v/2", "2.png", "2.npy")
    ]
    assert (pairs.missing, pairs.extra) == (("v/3",), ("v/1",))


def test_nothing_in_common_shows_a_name_of_each(tmp_path):
    save(tmp_path / "p/a_pred.png")
    save(tmp_path / "t/a.png")
    with pytest.raises(DataError, match="compare 'a_pred' with 'a'"):
        pair_label_maps(tmp_path / "p", tmp_path / "t", THREE)


def test_cityscapes_is_paired_by_frame(tmp_path):
    frame = "aachen_000000_000019"
    save(tmp_path / "p" / f"{frame}_leftImg8bit.png")
    for kind in ("labelIds", "labelTrainIds", "color"):
        save(tmp_path / "t" / "aachen" / f"{frame}_gtFine_{kind}.png")
    ((name, prediction, truth, _),) = pair_label_maps(
        tmp_path / "p", tmp_path / "t", CITYSCAPES
    ).both
    assert (name, prediction.name, truth.name) == (
        frame,
        f"{frame}_leftImg8bit.png",
        f"{frame}_gtFine_labelIds.png",
    )
    save(tmp_path / "p" / f"{frame}.png")
    with pytest.raises(DataError, match="is the same frame"):
        pair_label_maps(tmp_path / "p", tmp_path / "t", CITYSCAPES)
    # other data have no frames, only names
    with pytest.raises(DataError, match="no file name matches"):
        pair_label_maps(tmp_path / "p", tmp_path / "t", class_set("19"))


def test_longer_frame_numbers_are_only_names(tmp_path):
    for folder in ("p", "t"):
        save(tmp_path / folder / "aachen_000000_0000190.png")
        save(tmp_path / folder / "aachen_000000_0000191.png")
    assert len(pair_label_maps(tmp_path / "p", tmp_path / "t", CITYSCAPES).both) == 2


@pytest.mark.parametrize("suffix", ["png", "npy"])
def test_ids_come_back(tmp_path, suffix):
    read = read_ids(save(tmp_path / f"a.{suffix}"), what="truth")
    assert read.ids.dtype == np.uint8
    np.testing.assert_array_equal(read.ids, IDS)
    assert not read.palette


def test_a_palette_is_read_as_indices(tmp_path):
    picture = Image.fromarray(IDS).convert("P")
    picture.putdata(IDS.ravel().tolist())
    picture.putpalette([200, 10, 10] * 256)
    picture.save(tmp_path / "a.png")
    read = read_ids(tmp_path / "a.png", what="truth")
    np.testing.assert_array_equal(read.ids, IDS)
    assert read.palette


def png(bits, colour, rows, width):
    """A PNG of packed rows, made by hand."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("bits", "row", "ids"),
    [(1, b"\xa0", [1, 0, 1, 0]), (2, b"\x1b", [0, 1, 2, 3]), (4, b"\x0b\xf1", [0, 11, 15, 1])],
)
def test_grey_of_few_bits_is_not_stretched(tmp_path, bits, row, ids):
    (tmp_path / "a.png").write_bytes(png(bits, 0, [row], 4))
    np.testing.assert_array_equal(read_ids(tmp_path / "a.png", what="truth").ids, [ids])


def bad_png(mode):
    return lambda path: Image.new(mode, (4, 3)).save(path)


def cut(end):
    def write(path):
        save(path, np.random.default_rng(0).integers(0, 9, (20, 20)).astype(np.uint8))
        path.write_bytes(path.read_bytes()[:end])

    return write


def flipped(path):
    save(path, np.random.default_rng(0).integers(0, 9, (20, 20)).astype(np.uint8))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x55
    path.write_bytes(bytes(data))


BAD_PNG = {
    "colours": (bad_png("RGB"), "several channels"),
    "colours and alpha": (bad_png("RGBA"), "several channels"),
    "grey and alpha": (bad_png("LA"), "several channels"),
    "16 bits": (bad_png("I;16"), "16-bit"),
    "nothing": (lambda path: path.touch(), "empty file"),
    "text": (lambda path: path.write_text("not a picture"), "not a complete PNG"),
    "JPEG": (lambda path: Image.new("L", (4, 3)).save(path, "JPEG"), "not a complete PNG"),
    "header only": (cut(40), "not a complete PNG"),
    "half": (cut(150), "not a complete PNG"),
    "no end": (cut(-12), "a truncated PNG"),
    "one byte short": (cut(-1), "a truncated PNG"),
    "damaged": (flipped, "not a complete PNG"),
}


@pytest.mark.parametrize(("make", "says"), BAD_PNG.values(), ids=BAD_PNG)
def test_what_is_no_label_map_is_named(tmp_path, make, says):
    path = tmp_path / "a.png"
    make(path)
    with pytest.raises(DataError, match=says) as error:
        read_ids(path, what="prediction")
    assert str(path) in str(error.value)
    assert "prediction" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((3, 2, 2), np.float32), "3x2x2 float32.*argmax"),
        (np.zeros((2, 2)), "2x2 float64.*argmax"),
        (np.zeros((1, 2, 2), np.int64), "1x2x2 int64"),
        (np.array([[0, -1]]), "id -1"),
        (np.array([[0, 256]]), "id 256"),
        (np.array([[0, None]], object), "not a complete array"),
    ],
)
def test_arrays_that_are_no_label_map(tmp_path, array, says):
    with pytest.raises(DataError, match=says):
        read_ids(save(tmp_path / "a.npy", array), what="prediction")


SHAPE = b"(2, 3), }"  # in the header, before its padding
BAD_ARRAY = {
    "cut": lambda data: data[:-2],
    "a shape beyond all memory": lambda data: data.replace(
        SHAPE + b" " * 12, b"(9999999, 9999999), }"
    ),
    "a shape beyond 64 bits": lambda data: data.replace(SHAPE + b" " * 36, b"(%d,), }" % 10**38),
    "a negative shape": lambda data: data.replace(SHAPE, b"(-2, 3),}"),
    "a header that does not end": lambda data: data.replace(SHAPE, b"(2, 3    "),
    "a zip": lambda data: b"PK\3\4" + data,
}


@pytest.mark.parametrize("spoil", BAD_ARRAY.values(), ids=BAD_ARRAY)
def test_a_damaged_array(tmp_path, spoil):
    path = save(tmp_path / "a.npy")
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    assert path.read_bytes() != whole
    with pytest.raises(DataError, match="not a complete array"):
        read_ids(path, what="prediction")


def test_a_map_without_a_pixel(tmp_path):
    with pytest.raises(DataError, match="the truth has no pixels"):
        read_ids(save(tmp_path / "a.npy", np.zeros((0, 5), np.uint8)), what="truth")


def test_a_folder_or_a_broken_link_in_place_of_a_file_is_an_error_of_that_file(tmp_path):
    (tmp_path / "a.png").mkdir()
    (tmp_path / "b.png").symlink_to("gone")
    for path, says in zip(
        list_label_maps(tmp_path).by_key.values(),
        ("a folder, not a file", "No such file"),
        strict=True,
    ):
        with pytest.raises(DataError, match=f"{path.name}: the truth cannot be read .{says}"):
            read_ids(path, what="truth")


def test_a_map_is_read_as_classes_and_void(tmp_path):
    np.testing.assert_array_equal(
        read_label_map(save(tmp_path / "a.png"), THREE, what="truth"), IDS
    )
    camvid = save(tmp_path / "b.png", np.array([[0, 10, 11, 255]], np.uint8))
    np.testing.assert_array_equal(
        read_label_map(camvid, class_set("camvid11"), what="truth"), [[0, 10, 255, 255]]
    )
    raw = save(tmp_path / "c_labelIds.png", np.array([[7, 8, 33, 0, 9, 255]], np.uint8))
    np.testing.assert_array_equal(
        read_label_map(raw, CITYSCAPES, what="truth", form="raw"), [[0, 1, 18, 255, 255, 255]]
    )
    all_ids = save(tmp_path / "d.png", np.arange(256, dtype=np.uint8)[None])
    np.testing.assert_array_equal(
        read_label_map(all_ids, class_set("255"), what="truth"), [range(256)]
    )


def test_an_id_without_a_meaning_is_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"the prediction holds id 3; --classes 3 has 0 to 2 \(void 255\)"
    ):
        read_label_map(save(tmp_path / "a.png", IDS + np.uint8(2)), THREE, what="prediction")
    with pytest.raises(DataError, match="id 34"):
        read_label_map(
            save(tmp_path / "b.png", np.array([[7, 34]], np.uint8)),
            CITYSCAPES,
            what="truth",
            form="raw",
        )
    with pytest.raises(DataError, match="id 26.*map the ids"):
        read_label_map(
            save(tmp_path / "b.png", np.array([[7, 26]], np.uint8)), CITYSCAPES, what="truth"
        )


def test_raw_ids_are_not_taken_for_classes(tmp_path):
    path = save(tmp_path / "a_gtFine_labelIds.png", np.array([[7, 8]], np.uint8))
    with pytest.raises(DataError, match="the truth is named like raw ids; map them to 0 to 18"):
        read_label_map(path, CITYSCAPES, what="truth")
    np.testing.assert_array_equal(read_label_map(path, class_set("9"), what="truth"), [[7, 8]])
