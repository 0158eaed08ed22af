"""The procedural street against its promises: exact flow, exact occlusion, the same bytes for the
same arguments.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msaf_bench.data import CAMVID_CLASSES, content_of, open_split
from msaf_bench.data.street import KNOBS, Street, make_video
from msaf_bench.data.street.geometry import NEAR, view
from msaf_bench.data.street.objects import SKYLINE
from msaf_bench.data.street.scene import FAR, Scene, populate
from msaf_bench.errors import DataError, UsageError
from msaf_bench.spec import Conditions

CLEAR = {name: 0.0 for name in KNOBS if name != "speed"}
SIZE = (64, 128)


def conditions(**changes):
    defaults = {
        "preset": "t",
        "data": "street",
        "size": (32, 64),
        "train_spacing": 2,
        "score_spacing": 1,
        "steps": 1,
        "batch": 1,
        "lr": 0.1,
    }
    return Conditions(
        **(
            defaults
            | {"data_options": {"train_videos": 3, "score_videos": 2, "video_frames": 6}}
            | changes
        )
    )


class Hit(NamedTuple):
    surface: int
    point: tuple[float, float, float]


def rotated(yaw, x, z):
    return x * math.cos(yaw) + z * math.sin(yaw), -x * math.sin(yaw) + z * math.cos(yaw)


def look(scene: Scene, t: int, u: float, v: float, size=SIZE) -> Hit:
    """The front-most surface along one ray, panel by panel; index t counts from frame -1. Written
    apart from the module under test.
    """
    drive, focal = scene.drive, scene.drive.focal * size[1]
    right, down = (u - (size[1] - 1) / 2) / focal, (v - drive.horizon[t] * size[0]) / focal
    dx, dz = rotated(drive.yaw[t], right, 1.0)
    eye = (drive.x[t], drive.height, drive.z[t])
    best, hit = (-1.0, 0.0), None
    for k, p in enumerate(scene.panels):
        x, y, z = (
            p["at"][0] + (t - 1) * p["speed"][0],
            p["at"][1],
            p["at"][2] + (t - 1) * p["speed"][1],
        )
        near_end = z - eye[2] - (p["half"][0] if p["side"] else 0)
        if (near_end >= FAR and p["layer"] != SKYLINE) or (near_end <= NEAR and not p["side"]):
            continue
        depth = (x - eye[0]) / dx if p["side"] else (z - eye[2]) / dz
        at = (eye[0] + depth * dx, eye[1] - depth * down, eye[2] + depth * dz)
        along = ((at[2] - z) if p["side"] else (at[0] - x)) / p["half"][0]
        high = (at[1] - y) / p["half"][1]
        inside = along**2 + high**2 <= 1 if p["ellipse"] else max(abs(along), abs(high)) <= 1
        in_front = depth > 0 and (not p["side"] or at[2] - eye[2] >= NEAR)
        if inside and in_front and (int(p["layer"]), -near_end) >= best:
            best, hit = (int(p["layer"]), -near_end), Hit(k, at)
    count = len(scene.panels)
    if hit is not None:
        return hit
    if down <= 0:
        return Hit(count + 2, (dx, -down, dz))
    depth = eye[1] / down
    x = eye[0] + depth * dx
    return Hit(count + (abs(x) > scene.road), (x, 0.0, eye[2] + depth * dz))


def arrive(scene: Scene, t: int, there: int, hit: Hit, size=SIZE) -> tuple[float, float]:
    """The pixel at which a surface point seen at t is at another time."""
    drive, focal = scene.drive, scene.drive.focal * size[1]
    x, y, z = hit.point
    if hit.surface < len(scene.panels):
        speed = scene.panels[hit.surface]["speed"]
        x, z = x + (there - t) * speed[0], z + (there - t) * speed[1]
    if hit.surface != len(scene.panels) + 2:
        x, y, z = x - drive.x[there], y - drive.height, z - drive.z[there]
    right, forward = rotated(-drive.yaw[there], x, z)
    return (size[1] - 1) / 2 + focal * right / forward, drive.horizon[there] * size[
        0
    ] - focal * y / forward


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 4])
def test_every_pixel_is_what_a_slow_ray_finds(seed):
    frames = 3
    scene = populate(seed, frames, 1.0)
    front = view(scene, SIZE).front
    video = make_video(seed, frames, SIZE)
    rng = np.random.default_rng(seed)
    ground = len(scene.panels), len(scene.panels) + 1
    doubtful = 0
    for _ in range(150):
        t, v, u = rng.integers(frames), rng.integers(SIZE[0]), rng.integers(SIZE[1])
        hit = look(scene, t + 1, u, v)
        assert hit.surface == front[t + 1, v, u]
        for step, flow, occluded in (
            (1, video.flow_forward, video.occluded_forward),
            (-1, video.flow_backward, video.occluded_backward),
        ):
            x, y = arrive(scene, t + 1, t + 1 + step, hit)
            outside = not (-0.5 <= x <= SIZE[1] - 0.5 and -0.5 <= y <= SIZE[0] - 0.5)
            if not outside:
                np.testing.assert_allclose(flow[t, v, u], (x - u, y - v), atol=1e-3)
            seen = look(scene, t + 1 + step, x, y).surface
            # At its own edge, rounding decides on which side a point is; a nearer surface that no
            # pixel sees does not count.
            hidden = outside or (
                seen != hit.surface and not (seen in ground and hit.surface in ground)
            )
            doubtful += hidden != occluded[t, v, u]
    assert doubtful <= 2


@pytest.mark.parametrize("seed", range(3))
def test_flow_carries_the_labels(seed):
    video = make_video(seed, 6, SIZE)
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    same = inner = inner_same = total = 0
    for t in range(5):
        x = np.rint(u + video.flow_forward[t, ..., 0]).astype(int)
        y = np.rint(v + video.flow_forward[t, ..., 1]).astype(int)
        visible = ~video.occluded_forward[t] & (x >= 0) & (y >= 0) & (x < SIZE[1]) & (y < SIZE[0])
        x, y = np.clip(x, 0, SIZE[1] - 1), np.clip(y, 0, SIZE[0] - 1)
        equal = video.labels[t + 1][y, x] == video.labels[t]
        around = np.lib.stride_tricks.sliding_window_view(
            np.pad(video.labels[t + 1], 1, "edge"), (3, 3)
        )
        interior = (around == around[..., 1:2, 1:2]).all((2, 3))[y, x] & visible
        same, total = same + (equal & visible).sum(), total + visible.sum()
        inner, inner_same = inner + interior.sum(), inner_same + (equal & interior).sum()
    # Between pixels an edge is rounded; away from edges only what is thinner than a pixel is
    # missed.
    assert same > 0.97 * total
    assert inner_same > 0.999 * inner
    assert inner > 0.7 * total


@pytest.mark.parametrize("seed", range(3))
def test_forward_and_backward_flow_undo_each_other(seed):
    frames = 4
    video = make_video(seed, frames, SIZE)
    front = view(populate(seed, frames, 1.0), SIZE).front[1:-1]
    v, u = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    for t in range(frames - 1):
        x, y = u + video.flow_forward[t, ..., 0], v + video.flow_forward[t, ..., 1]
        left, top = np.clip(x, 0, SIZE[1] - 2).astype(int), np.clip(y, 0, SIZE[0] - 2).astype(int)
        wx, wy = (x - left)[..., None], (y - top)[..., None]
        corners = [
            (top + i, left + j, (wy if i else 1 - wy) * (wx if j else 1 - wx))
            for i in (0, 1)
            for j in (0, 1)
        ]
        back = sum(
            weight * video.flow_backward[t + 1][at, across] for at, across, weight in corners
        )
        alone = ~video.occluded_forward[t]
        for at, across, _ in corners:
            alone &= front[t + 1][at, across] == front[t]
        error = np.abs(video.flow_forward[t] + back)[alone].max(-1)
        # Flow on a plane is not linear, so interpolation between four pixels leaves a little near
        # the camera.
        assert np.median(error) < 1e-3
        assert error.max() < 0.3
        assert alone.mean() > 0.5


@pytest.mark.slow
def test_same_arguments_same_bytes_and_longer_videos_begin_alike():
    first, again, longer = make_video(7, 4, SIZE), make_video(7, 4, SIZE), make_video(7, 9, SIZE)
    for a, b, c in zip(first, again, longer, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c[:4])
    assert (make_video(8, 4, SIZE).labels != first.labels).mean() > 0.1


@pytest.mark.parametrize("knob", sorted(CLEAR))
def test_a_knob_changes_the_images_only(knob):
    clean, changed = (
        make_video(3, 6, SIZE, **CLEAR),
        make_video(3, 6, SIZE, **(CLEAR | {knob: 0.8})),
    )
    assert (clean.images != changed.images).any((1, 2, 3)).sum() >= 2
    for name in (
        "labels",
        "flow_forward",
        "flow_backward",
        "occluded_forward",
        "occluded_backward",
    ):
        np.testing.assert_array_equal(getattr(clean, name), getattr(changed, name))


def test_knobs_do_not_move_each_others_dice():
    noise = CLEAR | {"noise": 0.2}
    alone, with_flicker = (
        make_video(3, 3, SIZE, **noise),
        make_video(3, 3, SIZE, **(noise | {"flicker": 1e-9})),
    )
    np.testing.assert_array_equal(alone.images, with_flicker.images)


@pytest.mark.slow
def test_noise_and_flicker_are_as_strong_as_documented():
    clean = make_video(3, 4, SIZE, **CLEAR).images.astype(int)
    noisy = make_video(3, 4, SIZE, **(CLEAR | {"noise": 1.0})).images.astype(int)
    middle = (clean > 90) & (clean < 165)
    assert (noisy - clean)[middle].std() == pytest.approx(25, rel=0.05)
    flickering = make_video(3, 40, SIZE, **(CLEAR | {"flicker": 1.0})).images.mean((1, 2, 3))
    assert flickering.std() > 3 * make_video(3, 40, SIZE, **CLEAR).images.mean((1, 2, 3)).std()


def test_speed_moves_the_ground():
    fast, still = make_video(2, 2, SIZE, speed=2.0), make_video(2, 2, SIZE, speed=0.0)
    assert np.abs(fast.flow_forward[0, -8:]).mean() > 2 * np.abs(still.flow_forward[0, -8:]).mean()
    assert np.abs(still.flow_forward[0, -8:]).max() < 4


@pytest.mark.slow
def test_every_class_appears_in_ten_videos():
    labels = np.stack([make_video(seed, 2, SIZE).labels for seed in range(10)])
    share = np.bincount(labels.ravel(), minlength=len(CAMVID_CLASSES)) / labels.size
    assert labels.max() < len(CAMVID_CLASSES)
    assert share.min() > 0.002
    assert share.max() < 0.5


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**40), st.integers(1, 3), st.integers(16, 50), st.integers(16, 70))
def test_any_size_and_seed(seed, frames, height, width):
    video = make_video(seed, frames, (height, width))
    assert video.images.shape == (frames, height, width, 3)
    assert video.labels.dtype == np.uint8
    assert video.flow_forward.dtype == video.flow_backward.dtype == np.float32
    assert np.isfinite(video.flow_forward[~video.occluded_forward]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": 0, "nois": 0.1}, "unknown street option 'nois'; did you mean noise?"),
        ({"seed": 0, "noise": -0.1}, "street option noise = -0.1: needs a number from 0 to 10000"),
        ({"seed": 0, "blur": math.nan}, "street option blur = nan: needs a number from 0 to 10000"),
        ({"seed": 0, "rain": True}, "street option rain = True: needs a number from 0 to 10000"),
        (
            {"seed": -1},
            (
                "street: seed -1, 8 frames of 64x128; needs a seed >= 0, 1 frame and sides of 16 to"
                " 8192"
            ),
        ),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(UsageError) as error:
        make_video(**arguments)
    assert str(error.value) == message


@pytest.mark.slow
def test_a_clip_ends_at_its_label():
    clips = Street(conditions(frames=3), "train")
    assert len(clips) == 3 * 2  # frames 4 and 5 of six have all of their history
    assert clips.repeated == 0
    clip, video = clips[3], make_video(2, 6, (32, 64))
    assert clip.name == "00002/005"
    np.testing.assert_array_equal(clip.frames, video.images[[1, 3, 5]])
    np.testing.assert_array_equal(clip.label, video.labels[5])
    assert len({clips[i].name for i in range(len(clips))}) == len(clips)
    with pytest.raises(IndexError):
        clips[len(clips)]


@pytest.mark.slow
def test_a_video_that_is_too_short_repeats_the_oldest_frame_found():
    clips = Street(conditions(frames=3, score_spacing=4), "score")
    assert len(clips) == 2 * 6
    assert clips.repeated == 2 * (4 * 2 + 2)
    video = make_video(1, 6, (32, 64))
    np.testing.assert_array_equal(clips[5].frames, video.images[[1, 1, 5]])
    np.testing.assert_array_equal(clips[3].frames, video.images[[3, 3, 3]])


def test_spacing_zero_repeats_the_newest_frame():
    clips = Street(conditions(frames=3, train_spacing=0), "train")
    assert len(clips) == 3 * 6
    assert clips.repeated == 0
    assert (clips[4].frames == clips[4].frames[-1]).all()


@pytest.mark.slow
def test_pairs_are_consecutive_ends_of_one_video():
    clips = Street(conditions(frames=3), "score")  # 2 videos, frames 2 to 5 end a clip
    names = [clips[i].name for i in range(len(clips))]
    expected = [
        (i, j)
        for i in range(len(names))
        for j in range(len(names))
        if names[j] == f"{names[i][:6]}{int(names[i][6:]) + 1:03d}"
    ]
    assert list(clips.pairs) == expected
    assert len(clips.pairs) == 6
    assert Street(conditions(data_options={"video_frames": 1}), "score").pairs == ()


@pytest.mark.slow
def test_a_pair_knows_its_exact_motion():
    clips = Street(
        conditions(data_options={"score_videos": 2, "video_frames": 6, "noise": 0.5, "speed": 2.0}),
        "score",
    )
    for earlier, later in clips.pairs:
        name = clips[earlier].name
        video, frame = make_video(int(name[:5]), 6, (32, 64), noise=0.5, speed=2.0), int(name[6:])
        flow = clips.exact_flow((earlier, later))
        assert flow is not None
        np.testing.assert_array_equal(flow.forward, video.flow_forward[frame])
        np.testing.assert_array_equal(flow.backward, video.flow_backward[frame + 1])
        np.testing.assert_array_equal(flow.occluded, video.occluded_forward[frame])
        np.testing.assert_array_equal(clips.picture(later), video.images[frame + 1])
    assert clips.exact_flow((3, 4)) is None  # the last of a video and the first of the next
    assert clips.exact_flow((1, 0)) is None


def test_missing_history_by_rule():
    short = {"frames": 3, "score_spacing": 4}
    with pytest.raises(
        DataError,
        match=(
            r"^no clip has all 3 frames \(street video 00001: frame 0 has none 4 before it\);"
            r" use --history"
        ),
    ):
        Street(conditions(history="skip", **short), "score")
    with pytest.raises(
        DataError,
        match=(
            r"^street video 00001: frame 0 has none 4 before it; add that frame, or use --history"
            r" repeat"
        ),
    ):
        Street(conditions(history="error", **short), "score")
    whole = Street(conditions(history="error", frames=3), "score")
    assert (whole.repeated, whole.skipped) == (0, 0)


@pytest.mark.slow
def test_train_and_score_share_no_video():
    many = conditions(data_options={"train_videos": 5, "score_videos": 9, "video_frames": 1})
    names = [
        {clips[i].name for i in range(len(clips))}
        for clips in (Street(many, "train"), Street(many, "score"))
    ]
    assert not names[0] & names[1]
    assert {int(name[:5]) % 2 for name in names[0]} == {0}
    assert {int(name[:5]) % 2 for name in names[1]} == {1}


@pytest.mark.slow
def test_videos_are_made_once_and_cannot_be_written_to():
    one, two = Street(conditions(), "train"), Street(conditions(frames=2, train_spacing=1), "train")
    assert one.fingerprint == two.fingerprint
    assert one._videos is two._videos
    assert (
        Street(
            conditions(data_options={"noise": 0.9, "train_videos": 3, "video_frames": 6}), "train"
        ).fingerprint
        != one.fingerprint
    )
    with pytest.raises(ValueError, match="read-only"):
        one[0].label[0, 0] = 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"train_video": 3},
            (
                "unknown street option 'train_video'; did you mean train_videos, own_videos,"
                " score_videos?"
            ),
        ),
        ({"video_frames": 0}, "street option video_frames = 0: needs a whole number >= 1"),
        ({"score_videos": 1.5}, "street option score_videos = 1.5: needs a whole number >= 1"),
        ({"speed": -1}, "street option speed = -1: needs a number from 0 to 10000"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(UsageError) as error:
        open_split(conditions(data_options=options), "train")
    assert str(error.value) == message


def test_an_unknown_data_set_is_named():
    with pytest.raises(UsageError, match="unknown data set 'camvidd'; did you mean camvid?"):
        open_split(conditions(data="camvidd"), "train")
    with pytest.raises(UsageError, match="camvid needs --root DIR"):
        open_split(conditions(data="camvid"), "train")


@pytest.mark.slow
def test_every_seed_may_train_on_videos_of_its_own():
    def opened(own: bool, split: str, seed: int):
        return open_split(
            conditions(
                data_options={
                    "train_videos": 3,
                    "score_videos": 2,
                    "video_frames": 4,
                    "own_videos": own,
                }
            ),
            split,
            seed=seed,
        )

    shared = opened(False, "train", 0)
    assert (
        opened(False, "train", 7).fingerprint
        == shared.fingerprint
        == opened(True, "train", 0).fingerprint
    )
    drawn = [opened(True, "train", seed) for seed in range(3)]
    assert len({clips.fingerprint for clips in drawn}) == 3
    videos = [{clips[i].name.partition("/")[0] for i in range(len(clips))} for clips in drawn]
    assert videos[1] == {"00006", "00008", "00010"}
    assert not videos[0] & videos[1]
    scored = opened(True, "score", 2)
    assert scored.fingerprint == opened(False, "score", 0).fingerprint  # all are scored on the same
    assert (
        len(
            {
                content_of(conditions(data_options={"own_videos": True}), clips, scored)
                for clips in drawn
            }
        )
        == 1
    )
    with pytest.raises(UsageError, match="own_videos = 1: needs true or false"):
        opened(1, "train", 0)  # pyright: ignore[reportArgumentType]
