import csv
import json
import os
from functools import cache

import numpy as np
import pytest
from PIL import Image

from msaf_bench.cli import main
from msaf_bench.data.flow.files import write_flow
from msaf_bench.data.street import make_video

KEYS = {
    "tc",
    "pairs",
    "preset",
    "flow",
    "controls",
    "better",
    "per_class",
    "per_video",
    "reason",
    "agreement",
    "votes",
    "notes",
    "gaps",
}
FRAMES = 4


def png(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@cache
def street(seed):
    return make_video(seed, FRAMES, (48, 64))


@pytest.fixture
def footage(tmp_path):
    """Two street videos on disk: frames, labels, and flow both ways, of the same names."""
    for seed in (1, 3):
        video = street(seed)
        for t in range(FRAMES):
            name = f"street_{seed}/{t:06d}"
            png(tmp_path / "frames" / f"{name}.png", video.images[t])
            png(tmp_path / "labels" / f"{name}.png", video.labels[t])
            write_flow(tmp_path / "forward" / f"{name}.flo", video.flow_forward[t])
            write_flow(tmp_path / "backward" / f"{name}.flo", video.flow_backward[t])
    return tmp_path


def command(footage, *more, flow="dis", frames=True):
    given = [
        "score",
        "tc",
        "--pred",
        str(footage / "labels"),
        "--classes",
        "camvid11",
        "--flow",
        flow,
    ]
    return [*given, *(["--frames", str(footage / "frames")] if frames else []), *more]


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def document(capsys, *arguments, code=0):
    found, out, err = run(capsys, *arguments, "--json")
    assert found == code, err
    return json.loads(out)


@pytest.mark.slow
def test_one_preset_is_one_document(footage, capsys):
    d = document(capsys, *command(footage, "--truth", str(footage / "labels")))
    assert d.keys() >= KEYS
    assert [result["tc"] for result in d["results"]] == [d["tc"]]
    assert (d["preset"], d["pairs"], d["flow"], d["better"], d["steps"]) == (
        "clean",
        2 * (FRAMES - 1),
        "dis",
        "higher",
        [1],
    )
    assert d["controls"]["truth"] == d["tc"]
    assert d["controls"]["constant"] == 100
    assert d["controls"]["no_warp"] < d["tc"] < 100
    assert [video["first"] for video in d["per_video"]] == ["street_1/000000", "street_3/000000"]
    assert set(d["per_class"]) >= {"road", "sky"}
    assert "OpenCV" in d["flow_made_by"]


@pytest.mark.slow
def test_several_presets_are_never_mixed(footage, capsys):
    names = ["clean", "etc2020", "vspw2021", "ewarp", "vc8"]
    d = document(
        capsys, *command(footage, *(word for name in names for word in ("--preset", name)))
    )
    assert [result["preset"] for result in d["results"]] == names
    assert d.keys() == document(capsys, *command(footage)).keys()
    assert {key: d[key] for key in ("preset", "tc", "pairs")} == {
        key: d["results"][0][key] for key in ("preset", "tc", "pairs")
    }
    by_name = {result["preset"]: result for result in d["results"]}
    assert by_name["ewarp"]["better"] == "lower"
    assert 0 < by_name["ewarp"]["controls"]["frames"] < 0.2
    assert by_name["etc2020"]["legacy"]
    assert by_name["etc2020"]["controls"]["constant"] == pytest.approx(100 / 11)
    assert by_name["vc8"]["tc"] is None
    assert "true label map" in by_name["vc8"]["reason"]


@pytest.mark.slow
def test_the_text_says_what_the_number_is(footage, capsys):
    code, out, _ = run(
        capsys,
        *command(
            footage, "--preset", "clean", "--preset", "etc2020", "--truth", str(footage / "labels")
        ),
    )
    assert code == 0
    for part in (
        "higher is better; 6 pairs",
        "one class everywhere",
        "the true label maps",
        "without any warp",
        "legacy",
        "preset medium",
    ):
        assert part in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.slow
def test_flow_files_with_and_without_the_way_back(footage, capsys):
    flow = f"flo:{footage / 'forward'}"
    one = document(capsys, *command(footage, flow=flow, frames=False))
    both = document(
        capsys,
        *command(footage, "--backward-flow", str(footage / "backward"), flow=flow, frames=False),
    )
    assert "without backward flow" in one["occlusion"]
    assert "forward/backward" in both["occlusion"]
    assert both["votes"] < one["votes"]
    assert one["tc"] > one["controls"]["no_warp"] + 5
    assert (
        one["controls"]["no_warp"]
        == document(capsys, *command(footage, flow="zero", frames=False))["tc"]
    )


def test_a_gap_is_no_pair_and_is_said(footage, capsys):
    for folder in ("frames", "labels"):
        (footage / folder / "street_1" / "000001.png").unlink()
    d = document(capsys, *command(footage))
    assert (d["pairs"], d["gaps"], d["partial"], d["bad"]) == (4, 1, False, [])
    assert any(
        "gaps: 1, such as from street_1/000000 to street_1/000002" in note for note in d["notes"]
    )


@pytest.mark.slow
def test_a_frame_without_prediction_is_an_error_unless_it_is_left_out_and_listed(footage, capsys):
    (footage / "labels" / "street_3" / "000003.png").unlink()
    code, out, err = run(capsys, *command(footage))
    assert (code, out) == (3, "")
    assert "no prediction for frame 'street_3/000003'; add --skip-bad" in err
    assert "--skip-bad" in err
    code, out, _ = run(capsys, *command(footage), "--skip-bad", "--json")
    d = json.loads(out)
    assert (code, d["partial"], d["bad"]) == (1, True, ["street_3/000003"])
    assert "PARTIAL" in run(capsys, *command(footage), "--skip-bad")[1]


@pytest.mark.slow
def test_degenerate_predictions_are_flagged(footage, capsys):
    for path in (footage / "labels").rglob("*.png"):
        png(path, np.full((48, 64), 3, np.uint8))
        png(
            footage / "frames" / path.relative_to(footage / "labels"),
            np.full((48, 64, 3), 90, np.uint8),
        )
    d = document(capsys, *command(footage))
    assert d["tc"] == 100
    assert d["constant"]
    assert any("8 frames have no texture" in note for note in d["notes"])
    _, out, _ = run(capsys, *command(footage))
    assert "constant: the prediction is the same class" in out


def test_one_frame_is_no_number_and_exit_code_3(footage, capsys):
    for folder in ("frames", "labels"):
        for path in list((footage / folder).rglob("*.png")):
            if path.name != "000000.png" or "street_3" in str(path):
                path.unlink()
    code, out, err = run(capsys, *command(footage), "--json")
    assert code == 3
    assert json.loads(out)["tc"] is None
    assert json.loads(out)["reason"] == "needs 2 consecutive frames of a video"
    assert err.count("\n") == 1
    assert "clean: needs 2 consecutive frames" in err


@pytest.mark.slow
def test_reports_hold_each_pair(footage, capsys):
    out = footage / "reports"
    d = document(
        capsys, *command(footage, "--preset", "clean", "--preset", "ewarp", "--reports", str(out))
    )
    rows = list(csv.DictReader((out / "tc_pairs.csv").read_text().splitlines()))
    assert len(rows) == 12
    assert rows[0]["first"] == "street_1/000000"
    assert np.mean([float(row["tc"]) for row in rows if row["preset"] == "ewarp"]) == pytest.approx(
        d["results"][1]["tc"]
    )
    with np.load(out / "tc_matrices.npz") as matrices:
        assert matrices["clean"].shape == (6, 11, 11)
    assert len(d["files"]) == 3
    assert json.loads((out / "tc.json").read_text())["results"][0]["tc"] == d["results"][0]["tc"]


def test_windows_have_their_ends_in_the_report(tmp_path, capsys):
    for t in range(11):
        png(tmp_path / "labels" / f"{t}.png", np.full((4, 4), t // 9, np.uint8))
    arguments = [
        "score",
        "tc",
        "--pred",
        str(tmp_path / "labels"),
        "--truth",
        str(tmp_path / "labels"),
        "--classes",
        "3",
        "--flow",
        "zero",
    ]
    d = document(capsys, *arguments, "--preset", "vc8", "--out", str(tmp_path / "out"))
    assert (d["tc"], d["pairs"], d["counted"]) == (100, 3, "windows")
    rows = list(csv.DictReader((tmp_path / "out" / "tc_pairs.csv").read_text().splitlines()))
    assert [(row["first"], row["last"], row["tc"]) for row in rows] == [
        ("0", "7", "100.0"),
        ("1", "8", "100.0"),
        ("2", "9", ""),
    ]


@pytest.mark.slow
def test_the_cache_gives_the_same_numbers(footage, capsys):
    cache = footage / "cache"
    first, again = (
        document(capsys, *command(footage, "--flow-cache", str(cache))) for _ in range(2)
    )
    assert first == again
    assert len(list(cache.iterdir())) == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "more", "flow", "code", "parts"),
    [
        (None, ["--classes", "camvid12"], "dis", 2, ["camvid12", "camvid11"]),
        (None, ["--preset", "cleen"], "dis", 2, ["cleen", "clean"]),
        (None, [], "diss", 2, ["unknown flow 'diss'", "dis"]),
        (None, [], "flo:", 2, ["flo:DIR"]),
        (None, [], "dis:x", 2, ["flo:DIR"]),
        (None, ["--backward-flow", "x"], "dis", 2, ["--backward-flow", "flo:DIR"]),
        (None, [], "flo:nowhere", 3, ["nowhere/street_1/000000.flo", "cannot be read"]),
        (None, ["--truth", "nowhere"], "dis", 3, ["nowhere"]),
        (None, ["--out", "/proc/nothing"], "dis", 5, ["/proc/nothing", "another folder"]),
        ("frame missing", [], "dis", 3, ["no file for 'street_1/000002'; file names must match"]),
        (
            "frame size",
            [],
            "dis",
            3,
            ["frame of street_1/000002", "24x32", "48x64", "resize all to the same size"],
        ),
        ("label size", [], "dis", 3, ["street_1/000002", "same size"]),
        ("label id", [], "dis", 3, ["street_1/000002.png", "77"]),
        ("cut frame", [], "dis", 3, ["street_1/000002.png"]),
        ("flow size", [], "flo", 3, ["forward flow of street_1/000002", "5x5"]),
        ("cut flow", [], "flo", 3, ["000002.flo", "bytes"]),
    ],
)
def test_bad_input_is_one_line(footage, capsys, change, more, flow, code, parts):
    frame, label, file = (
        footage / folder / "street_1" / f"000002.{end}"
        for folder, end in (("frames", "png"), ("labels", "png"), ("forward", "flo"))
    )
    match change:
        case "frame missing":
            frame.unlink()
        case "frame size":
            png(frame, np.zeros((24, 32, 3), np.uint8))
        case "label size":
            png(label, np.zeros((24, 32), np.uint8))
        case "label id":
            png(label, np.full((48, 64), 77, np.uint8))
        case "cut frame":
            frame.write_bytes(frame.read_bytes()[:200])
        case "flow size":
            write_flow(file, np.zeros((5, 5, 2), np.float32))
        case "cut flow":
            file.write_bytes(file.read_bytes()[:-1])
    found, out, err = run(
        capsys,
        *command(footage, *more, flow=f"flo:{footage / 'forward'}" if flow == "flo" else flow),
    )
    assert found == code, err
    assert out == ""
    assert err.count("\n") == 1
    for part in parts:
        assert part in err


def test_presets_without_a_warp_need_no_flow(footage, capsys):
    d = document(
        capsys,
        *command(footage, "--truth", str(footage / "labels"), "--preset", "vc8", frames=False),
        code=3,
    )
    assert (d["flow"], d["flow_made_by"]) == ("none", "the presets need none")
    assert "more than 8 frames" in d["reason"]
    code, _, err = run(capsys, *command(footage, "--preset", "vc8", flow="diss", frames=False))
    assert (code, "unknown flow 'diss'" in err) == (2, True)


@pytest.mark.slow
def test_what_has_no_pixel_to_compare_has_no_number(footage, capsys):
    for path in (footage / "labels").rglob("*.png"):
        png(path, np.full((48, 64), 255, np.uint8))
    presets = [
        word for name in ("clean", "etc2020", "vspw2021", "ewarp") for word in ("--preset", name)
    ]
    d = document(capsys, *command(footage, *presets, "--out", str(footage / "out")), code=3)
    assert [(result["tc"], result["reason"]) for result in d["results"]] == [
        (None, "no pixel has a vote")
    ] * 4


def test_reports_that_cannot_be_written_are_refused_before_anything_is_read(footage, capsys):
    (footage / "file").touch()
    for path in (footage / "labels").rglob("*.png"):
        path.write_bytes(b"")
    for out in ("file", "file/below"):
        code, printed, err = run(capsys, *command(footage, "--out", str(footage / out)))
        assert (code, printed, err.count("\n")) == (5, "", 1)
        assert f"--reports {footage / out}: {footage / 'file'} is not a writable folder" in err


@pytest.mark.slow
def test_names_that_are_no_text_are_written_all_the_same(footage, capsys):
    for folder in ("frames", "labels"):
        (footage / folder / "street_1").rename(footage / folder / os.fsdecode(b"street_\xff"))
    d = document(capsys, *command(footage, "--out", str(footage / "out")))
    assert [video["first"] for video in d["per_video"]] == [
        "street_3/000000",
        "street_\udcff/000000",
    ]
    assert "street_\\udcff/000000" in (footage / "out" / "tc_pairs.csv").read_text()


def test_raw_ids_of_cityscapes_are_refused_and_not_scored(tmp_path, capsys):
    for t in range(2):
        png(tmp_path / f"bonn_000000_00000{t}_gtFine_labelIds.png", np.full((4, 4), 7, np.uint8))
    code, out, err = run(
        capsys,
        "score",
        "tc",
        "--pred",
        str(tmp_path),
        "--flow",
        "zero",
        "--classes",
        "cityscapes19",
    )
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "is named like raw ids" in err


def test_estimated_flow_needs_frames(footage, capsys):
    code, _, err = run(capsys, *command(footage, frames=False))
    assert code == 2
    assert "--flow dis is estimated from the frames; give --frames DIR" in err


@pytest.mark.slow
def test_classes_may_be_left_out_where_their_number_does_not_count(footage, capsys):
    command_without = [word for word in command(footage) if word not in ("--classes", "camvid11")]
    found, named = document(capsys, *command_without), document(capsys, *command(footage))
    assert found["tc"] == named["tc"]
    assert int(found["classes"]) <= 11
    code, _, err = run(capsys, *command_without, "--preset", "etc2020")
    assert code == 2
    assert "etc2020 counts classes that never occur; give their number with --classes" in err
