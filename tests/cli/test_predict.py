"""`predict` and `score tc` on video files, and overlays."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import msaf_bench as mb
from msaf_bench.cli import main
from msaf_bench.data.frames.files import read_frame
from msaf_bench.data.frames.recording import CODECS
from msaf_bench.data.frames.video import frames_of, probe
from msaf_bench.errors import Interrupted
from msaf_bench.spec.data_sets import VIDEO_FILES
from msaf_bench.train.checkpoint import Sidecar, save_checkpoint

COUNT = 5


def run(capsys, *args):
    code = main([str(arg) for arg in args])
    return code, *capsys.readouterr()


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """A checkpoint, a video, and the folder of its decoded frames."""
    folder = tmp_path_factory.mktemp("street")
    size = ("--frames", str(COUNT), "--size", "64x128")
    assert main(["data", "street", "--out", str(folder / "s"), *size]) == 0
    path = folder / "drive.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 12.5, (128, 64))
    for source in sorted((folder / "s" / "street_00000" / "frames").iterdir()):
        writer.write(cv2.imread(str(source)))
    writer.release()
    (folder / "frames").mkdir()
    for index, frame in enumerate(frames_of(path)):
        Image.fromarray(frame).save(folder / "frames" / f"{index:06}.png")
    return folder


@pytest.fixture(scope="module")
def checkpoint(street):
    net = mb.build("msaf-r18", num_classes=11)
    system = mb.read_system("msaf-r18")
    sidecar = Sidecar(sha256="", step=0, system=system, num_classes=11)
    return save_checkpoint(street / "checkpoint", net, None, sidecar)


@pytest.fixture(scope="module")
def maps(street, checkpoint):
    """The label maps of the video."""
    out = street / "maps"
    args = ["predict", checkpoint, "--frames", street / "drive.mp4", "--out", out]
    assert main([str(arg) for arg in args]) == 0
    return out


@pytest.mark.slow
def test_a_video_and_its_frames_are_predicted_alike(street, tmp_path, capsys):
    code, out, _ = run(
        capsys, "train", "msaf-r18", "--preset", "smoke", "--reports", tmp_path / "t", "--json"
    )
    assert code == 0
    trained = json.loads(out)["checkpoint"]
    for source, to in ((street / "drive.mp4", "video"), (street / "frames", "folder")):
        assert run(capsys, "predict", trained, "--frames", source, "--out", tmp_path / to)[0] == 0
    names = [f"{index:06}.png" for index in range(COUNT)]
    assert sorted(path.name for path in (tmp_path / "video").glob("*.png")) == names
    for name in names:
        assert (tmp_path / "video" / name).read_bytes() == (tmp_path / "folder" / name).read_bytes()


def test_predict_says_what_the_video_is(street, checkpoint, tmp_path, capsys):
    args = ("predict", checkpoint, "--frames", street / "drive.mp4", "--out", tmp_path / "maps")
    code, out, _ = run(capsys, *args, "--json")
    found = json.loads(out)
    assert (code, found["frames"], found["rate"], found["gaps"]) == (0, COUNT, 12.5, 0)
    assert found["notes"] == ["1 video of 64x128 at 12.5 frames per second"]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("o.mp4", "(H.264|MPEG-4 Part 2)"), ("o.webm", "VP8, 12.5 frames per second\n"),
        ("o.avi", "Motion JPEG"),
    ],
)  # fmt: skip
def test_an_overlay_is_a_video_at_the_rate_of_its_source(
    street, checkpoint, tmp_path, capsys, name, codec
):
    args = ("predict", checkpoint, "--frames", street / "drive.mp4", "--out", tmp_path / "maps")
    code, out, _ = run(capsys, *args, "--overlay", tmp_path / "new" / name)
    assert code == 0
    assert re.search(rf"overlay in .*{name}: {codec}", out)
    info = probe(tmp_path / "new" / name)
    assert (info.frames, info.rate, info.size[1]) == (COUNT, 12.5, 128)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [".msaf-bench.json", name]


def test_an_overlay_replaces_only_its_own(street, checkpoint, tmp_path, capsys):
    (tmp_path / "o.mp4").write_bytes(b"another's")
    args = ("predict", checkpoint, "--frames", street / "drive.mp4", "--out", tmp_path / "maps")
    args = (*args, "--overlay", tmp_path / "o.mp4")
    code, _, err = run(capsys, *args)
    assert (code, (tmp_path / "o.mp4").read_bytes()) == (2, b"another's")
    assert "o.mp4 exists and was not written" in err
    assert run(capsys, *args, "--overwrite")[0] == 0
    assert run(capsys, *args)[0] == 0  # our own


def test_overlays_of_pictures(street, checkpoint, tmp_path, capsys):
    args = ("predict", checkpoint, "--frames", street / "frames", "--out", tmp_path / "maps")
    shown = ("--classes", "camvid11", "--overlay")
    for rate, more in ((5, ("--rate", "5")), (30, ())):
        assert run(capsys, *args, *shown, tmp_path / "o.mp4", *more)[0] == 0
        assert probe(tmp_path / "o.mp4").rate == rate
    assert run(capsys, *args, *shown, tmp_path / "shown")[0] == 0
    picture, frame = (
        read_frame(folder / "000000.png") for folder in (tmp_path / "shown", street / "frames")
    )
    assert picture.shape[1:] == frame.shape[1:]
    assert (picture[:64] != frame).any()


def test_a_stopped_overlay_leaves_nothing(street, checkpoint, tmp_path, capsys, monkeypatch):
    shown = [lambda picture, *_: picture]

    def stopped(*frame):
        if not shown:
            raise Interrupted
        return shown.pop()(*frame)

    monkeypatch.setattr("msaf_bench.analyzers.prediction.overlay", stopped)
    args = ("predict", checkpoint, "--frames", street / "drive.mp4", "--out", tmp_path / "maps")
    assert run(capsys, *args, "--overlay", tmp_path / "o" / "o.mp4")[0] == 130
    assert not list((tmp_path / "o").iterdir())


def test_a_disk_without_room_is_noticed(street, checkpoint, tmp_path, capsys, monkeypatch):
    class Full:
        def __init__(self, *_):
            pass

        def isOpened(self):  # noqa: N802
            return True

        def write(self, _):
            pass

        def release(self):
            pass

    Full.fourcc = staticmethod(cv2.VideoWriter.fourcc)
    monkeypatch.setattr(cv2, "VideoWriter", Full)
    args = ("predict", checkpoint, "--frames", street / "frames", "--out", tmp_path / "maps")
    code, _, err = run(capsys, *args, "--overlay", tmp_path / "o.mp4")
    assert code == 5
    assert f"o.mp4: 0 of {COUNT} frames reached the disk" in err


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--rate", "5"], 2, "add --overlay"),
        (["--classes", "camvid11"], 2, "add --overlay"),
        (["--overlay", "o.mp4", "--rate", "0"], 2, "--rate 0: give frames per second"),
        (["--overlay", "o.gif"], 2, "o.gif: neither a video"),
        (["--overlay", "shown", "--rate", "5"], 2, "is a folder"),
        (["--overlay", "maps"], 2, "mix with the label maps of --out"),
        (["--overlay", "drive.mp4"], 2, "would replace"),
        (["--overlay", "o.mp4", "--classes", "cityscapes19"], 3, "predicts 11 classes"),
        (["--frame-pattern", "{frame}"], 2, "drive.mp4 is a video"),
    ],
)
def test_options_that_do_not_go_together(
    street, checkpoint, tmp_path, capsys, monkeypatch, more, code, message
):
    monkeypatch.chdir(tmp_path)
    Path("drive.mp4").symlink_to(street / "drive.mp4")
    args = ("predict", checkpoint, "--frames", "drive.mp4", "--out", "maps", *more)
    found, out, err = run(capsys, *args)
    assert (found, out) == (code, "")
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", ["cut.mp4", "text.mp4", "none.mp4", "text.txt"])
def test_a_bad_video_is_one_line(street, tmp_path, capsys, name):
    data = (street / "drive.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    for text in ("text.mp4", "text.txt"):
        (tmp_path / text).write_text("no video")
    for args in (
        ("predict", "none.safetensors", "--out", tmp_path / "maps"),
        ("score", "tc", "--pred", street / "frames"),
    ):
        code, out, err = run(capsys, *args, "--frames", tmp_path / name)
        assert (code, out) == (3, "")
        assert name in err
        assert len(err.splitlines()) == 1


def test_consistency_along_a_video_file(street, maps, tmp_path, capsys):
    scores = [mb.score_tc(maps, street / source, classes=11) for source in ("drive.mp4", "frames")]
    assert scores[0].document() == scores[1].document()
    code, out, _ = run(
        capsys,
        "score",
        "tc",
        "--pred",
        maps,
        "--frames",
        street / "drive.mp4",
        "-c",
        "11",
        "--json",
    )
    assert (code, json.loads(out)["tc"]) == (0, scores[1].tc)
    for index in range(3):  # other zeros before the number, and not all frames
        (tmp_path / "some").mkdir(exist_ok=True)
        name = tmp_path / "some" / f"{index:03}.png"
        name.write_bytes((maps / f"{index:06}.png").read_bytes())
    args = ("score", "tc", "--pred", tmp_path / "some", "--frames", street / "drive.mp4")
    code, _, err = run(capsys, *args, "-c", "11")
    assert code == 3
    assert f"no prediction for frame '000003', and {COUNT - 4} more of {COUNT}" in err
    code, out, _ = run(capsys, *args, "-c", "11", "--skip-bad")
    assert code == 1
    assert f"PARTIAL: {COUNT - 3} frames have no prediction" in out
    (tmp_path / "some" / f"{COUNT}.png").write_bytes((maps / "000000.png").read_bytes())
    code, _, err = run(capsys, *args, "-c", "11")
    assert code == 3
    assert f"'{COUNT}' is not a frame of" in err


def test_label_maps_are_not_read_from_a_video(street, capsys):
    code, _, err = run(capsys, "score", "tc", "--pred", street / "drive.mp4", "--flow", "zero")
    assert code == 3
    assert "a video cannot hold label maps" in err


def test_every_video_that_is_read_can_be_written():
    assert set(CODECS) == set(VIDEO_FILES)


def test_an_odd_size_is_kept_whole(tmp_path):
    from msaf_bench.data.frames.recording import recording

    picture = np.zeros((33, 65, 3), np.uint8)
    picture[:, 64:] = 255
    with recording(tmp_path / "o.avi", 10) as video:
        video.write(picture)
    assert next(frames_of(tmp_path / "o.avi")).shape == (34, 66, 3)
    assert next(frames_of(tmp_path / "o.avi"))[5, 65].min() > 200


def test_void_shows_the_frame_and_a_palette_is_distinct():
    from msaf_bench.data.labels.overlay import legend, overlay, palette

    rng = np.random.default_rng(0)
    picture = rng.integers(256, size=(6, 8, 3), dtype=np.uint8)
    labels = np.repeat(np.array([[0, 1, 255, 1]], np.uint8), 2, 1).repeat(6, 0)
    shown = overlay(picture, labels, palette(2))
    np.testing.assert_array_equal(shown[:, 4:6], picture[:, 4:6])
    assert (shown[:, [0, 1, 2, 3, 6, 7]] != picture[:, [0, 1, 2, 3, 6, 7]]).any(-1).all()
    assert len(set(palette(255))) == 255
    assert legend(["road"], [(1, 2, 3)], 200, 100).shape == (22, 200, 3)
    assert legend(["road"] * 50, [(1, 2, 3)] * 50, 200, 100).shape == (0, 200, 3)
