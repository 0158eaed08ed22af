"""Pictures of a video: their order, and what is refused."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from msaf_bench.data.frames.files import list_frames, read_frame
from msaf_bench.errors import DataError


def test_frames_come_in_natural_order(tmp_path):
    for name in ("f10.png", "f9.png", "._f9.png", "sub/f1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in list_frames(tmp_path).by_key.values()] == ["f9.png", "f10.png"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_any_picture_of_8_bits_becomes_rgb(tmp_path, mode):
    Image.new(mode, (5, 3), 1 if mode in "LP1" else (9, 9, 9)).save(tmp_path / "a.png")
    picture = read_frame(tmp_path / "a.png")
    assert (picture.shape, picture.dtype) == ((3, 5, 3), np.uint8)


def large(side):
    """The header of a PNG of side x side pixels, and nothing of them."""
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"text", large(10_000), large(100_000)],
    ids=["empty", "text", "100 Mpx", "10 Gpx"],
)
def test_what_is_no_picture_is_one_error_and_no_warning(tmp_path, recwarn, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png: not a complete picture"):
        read_frame(tmp_path / "a.png")
    assert not recwarn.list


def test_16_bit_grey_is_refused_and_not_cut_at_255(tmp_path):
    Image.fromarray(np.full((4, 4), 1000, np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="a picture of mode I;16; frames have 8 bits"):
        read_frame(tmp_path / "a.png")


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(DataError, match="not a complete picture.*a folder, not a file"):
        read_frame(tmp_path)
