"""Video files: exact random access, and what is refused."""

import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from msaf_bench.data.frames.video import frames_of, probe, read_video_frame
from msaf_bench.errors import DataError

#: H.264 with reordered frames and open groups of pictures; MPEG-4 with reordered frames in an AVI,
#: which has no timestamps for them
REORDERED = sorted(Path(__file__).parent.glob("reordered.*"))
CODECS = {
    "a.mp4": "mp4v", "a.mov": "mp4v", "a.m4v": "mp4v", "a.avi": "XVID", "b.avi": "MJPG",
    "a.webm": "VP80", "a.mkv": "FFV1",
}  # fmt: skip


def picture(number, size=(24, 32)):
    """A frame in BGR whose pixels all move."""
    y, x = np.mgrid[: size[0], : size[1]]
    shades = (x * 5 + number * 7, y * 7 + number * 3, (x + y) * 4 - number * 5)
    return (np.stack(shades, -1) % 256).astype(np.uint8)


def write_video(path, count=40, fourcc=None, rate=30, size=(24, 32)):
    code = cv2.VideoWriter.fourcc(*(fourcc or CODECS[path.name]))
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, rate, size[::-1])
    assert writer.isOpened()
    for number in range(count):
        writer.write(picture(number, size))
    writer.release()
    return path


def decoded(path):
    """All frames, by OpenCV itself."""
    capture, frames = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), []
    while (found := capture.read())[0]:
        frames.append(found[1][..., ::-1])
    return frames


@pytest.fixture(params=[*CODECS, *(path.name for path in REORDERED)])
def video(request, tmp_path):
    path = tmp_path / request.param
    if path.name in CODECS:
        return write_video(path)
    return shutil.copy(Path(__file__).parent / path.name, path)


def test_any_order_gives_the_frames_of_the_sequence(video):
    expected = decoded(video)
    count = len(expected)
    assert probe(video)[:3] == (count, expected[0].shape[:2], pytest.approx(30))
    assert np.array_equal(list(frames_of(video)), expected)
    rng = random.Random(0)
    clips = [first + step for first in range(0, count - 3, 4) for step in range(3)]
    for index in (*rng.choices(range(count), k=40), *reversed(range(count)), *clips):
        assert np.array_equal(read_video_frame(video, index), expected[index]), index


def test_threads_do_not_disturb_each_other(tmp_path):
    videos = [write_video(tmp_path / name) for name in ("a.mp4", "a.webm")]
    expected = {path: decoded(path) for path in videos}
    asked = random.Random(0).choices([(p, i) for p in videos for i in range(40)], k=300)
    with ThreadPoolExecutor(6) as pool:
        frames = pool.map(lambda ask: read_video_frame(*ask), asked)
        for (path, index), frame in zip(asked, frames, strict=True):
            assert np.array_equal(frame, expected[path][index])


def test_many_videos_leave_few_files_open(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(20):
        path = shutil.copy(REORDERED[1], tmp_path / f"{number}.mp4")
        read_video_frame(path, 3)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 8


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    path = write_video(tmp_path / "a.mp4", 10)
    assert read_video_frame(path, 9).shape == (24, 32, 3)
    write_video(path, 20, size=(48, 64))
    assert probe(path)[:2] == (20, (48, 64))
    assert read_video_frame(path, 9).shape == (48, 64, 3)


def test_frames_are_turned_as_the_file_says(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    upright = decoded(path)[0]
    identity, clockwise = (
        b"".join((value % 2**32).to_bytes(4, "big") for value in matrix)
        for matrix in (
            (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30),
            (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30),
        )
    )
    header, track, rest = path.read_bytes().partition(b"tkhd")
    path.write_bytes(header + track + rest.replace(identity, clockwise, 1))
    assert probe(path)[1:] == ((32, 24), 30, True)
    assert np.array_equal(read_video_frame(path, 0), np.rot90(upright, -1))


def test_a_name_with_a_colon_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_video(tmp_path / "a.mp4").rename(tmp_path / "http:a.mp4")
    assert probe(Path(path.name)).frames == 40


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_video_is_refused(video, kept, capfd):
    data = video.read_bytes()
    video.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(
        DataError, match=rf"{video.name}: (cut: .*copy|not a video .*ffmpeg|.* without a frame)"
    ):
        probe(video)
    assert capfd.readouterr() == ("", "")  # FFmpeg says nothing beside our line


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (1000, "damaged: the frames after the first 6 cannot be decoded"),
        (1400, "frame 16 of 40 cannot be decoded"),
    ],
)
def test_a_damaged_video_is_refused(tmp_path, place, message):
    data = bytearray(REORDERED[1].read_bytes())
    start = data.index(b"mdat") + place
    data[start : start + 20] = bytes(20)
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(DataError, match=rf"a.mp4: {message}; copy .*, or convert it: ffmpeg -i"):
        list(frames_of(path))


def test_frames_that_an_edit_list_hides_are_not_missing(tmp_path):
    data = bytearray(REORDERED[1].read_bytes())
    at = data.index(b"elst") + 12
    shown = int.from_bytes(data[at : at + 4], "big") // 2
    data[at : at + 4] = shown.to_bytes(4, "big")
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    assert probe(path).frames == len(decoded(path)) < 40
    assert np.array_equal(list(frames_of(path)), decoded(REORDERED[1])[: probe(path).frames])


def test_a_variable_frame_rate_is_refused(tmp_path):
    path = write_video(tmp_path / "a.mkv")
    before, block, after = path.read_bytes().rpartition(b"\x81\0\x64\0")  # 100 ms after a key frame
    path.write_bytes(before + block.replace(b"\x64", b"\x70") + after)
    with pytest.raises(
        DataError,
        match=r"a variable frame rate: frame 39 comes 45.0 ms after frame 38, .*33.0 ms;"
        r" .*-fps_mode cfr -r 30 a-cfr.mp4",
    ):
        probe(path)


def test_what_is_no_video_is_refused(tmp_path, capfd):
    path = tmp_path / "a.mp4"
    path.write_text("no video" * 100)
    with pytest.raises(DataError, match=r"a\.mp4: not a video that OpenCV can read"):
        probe(path)
    with pytest.raises(DataError, match="a folder, not a file"):
        probe(tmp_path)
    with pytest.raises(DataError, match="No such file"):
        probe(tmp_path / "b.mp4")
    write_video(tmp_path / "c.avi", 0, "MJPG")
    with pytest.raises(DataError, match=r"c\.avi: "):
        probe(tmp_path / "c.avi")
    assert capfd.readouterr().err == ""


def test_a_frame_that_is_not_there_is_an_index_error():
    with pytest.raises(IndexError):
        read_video_frame(REORDERED[1], 40)
