"""One draw for all frames of a clip and its label, and batches as the networks expect them."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from msaf_bench.data import Clip
from msaf_bench.data.transforms import MEAN, STD, augment, normalise, stacked, to_tensors
from msaf_bench.spec import VOID, Conditions


def conditions(size=(32, 64), scale=(1.0, 1.0), flip=False, crop=None):
    return Conditions(
        preset="t", data="street", size=size, train_spacing=1, score_spacing=1, steps=1, batch=1,
        lr=0.1, scale=scale, flip=flip, crop=crop
    )  # fmt: skip


def coded(height, width, frames=3):
    """A clip whose frames all show the label: what happens to one must happen to the others."""
    label = (np.add.outer(np.arange(height) // 8, np.arange(width) // 8) % 11).astype(np.uint8)
    return Clip(np.repeat(np.repeat(label[None, ..., None] * 20, 3, -1), frames, 0), label, "x/1")


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.integers(8, 40), st.integers(8, 40), st.integers(8, 40), st.integers(8, 40),
    st.floats(0.4, 1), st.floats(1, 2.2), st.booleans(), st.integers(0, 2**32),
)  # fmt: skip
def test_all_frames_and_the_label_move_together(
    height, width, rows, columns, low, high, flip, seed
):
    clip = coded(height, width)
    out = augment(clip, conditions((rows, columns), (low, high), flip), np.random.default_rng(seed))
    assert out.frames.shape == (3, rows, columns, 3)
    assert out.label.shape == (rows, columns)
    assert out.name == clip.name
    assert (out.frames == out.frames[0]).all()
    assert set(np.unique(out.label)) <= {*range(11), VOID}
    padding = out.label == VOID
    mean = np.round(np.multiply(MEAN, 255)).astype(np.uint8)
    assert (out.frames[0][padding] == mean).all()
    # Linear and nearest sampling differ by up to a pixel at the edges of the 8 x 8 squares, not
    # within them.
    inner = np.abs(out.frames[0, ..., 0].astype(int) - out.label * 20)[~padding]
    assert (inner <= 2).mean() > 0.3 if min(height, width) * low >= 8 and inner.size > 64 else True


@pytest.mark.slow
@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_without_resizing_a_crop_is_a_part_of_the_clip(seed):
    clip = coded(24, 40)
    out = augment(clip, conditions((10, 12)), np.random.default_rng(seed))
    windows = np.lib.stride_tricks.sliding_window_view(clip.label, (10, 12))
    assert (windows == out.label).all((2, 3)).any()
    np.testing.assert_array_equal(out.frames[..., 0], np.repeat(out.label[None] * 20, 3, 0))


def test_nothing_to_do_gives_the_clip_itself():
    clip = coded(32, 64)
    out = augment(clip, conditions(), np.random.default_rng(0))
    np.testing.assert_array_equal(out.frames, clip.frames)
    np.testing.assert_array_equal(out.label, clip.label)


@pytest.mark.slow
def test_half_of_the_clips_are_mirrored_as_a_whole():
    clip = coded(32, 64)
    rng = np.random.default_rng(0)
    mirrored = 0
    for _ in range(200):
        out = augment(clip, conditions(flip=True), rng)
        turned = not (out.label == clip.label).all()
        np.testing.assert_array_equal(out.label, clip.label[:, ::-1] if turned else clip.label)
        np.testing.assert_array_equal(
            out.frames, clip.frames[:, :, ::-1] if turned else clip.frames
        )
        mirrored += turned
    assert 70 < mirrored < 130


def test_the_draws_do_not_depend_on_the_conditions():
    rngs = [np.random.default_rng(5), np.random.default_rng(5)]
    augment(coded(32, 64), conditions(), rngs[0])
    augment(coded(32, 64), conditions((16, 16), (0.5, 2.0), flip=True), rngs[1])
    assert rngs[0].random() == rngs[1].random()


def test_every_place_of_a_crop_is_reached():
    clip = Clip(
        np.zeros((1, 4, 4, 3), np.uint8), np.arange(16, dtype=np.uint8).reshape(4, 4), "x/1"
    )
    rng = np.random.default_rng(0)
    corners = {int(augment(clip, conditions((2, 2)), rng).label[0, 0]) for _ in range(300)}
    assert corners == {0, 1, 2, 4, 5, 6, 8, 9, 10}


def resized_then_cut(clip, conditions, rng):
    """The whole clip resized, then its window."""
    zoom, down, across, mirror = rng.random(4)
    low, high = conditions.scale
    factor = low + (high - low) * zoom
    size = conditions.crop or conditions.size
    have = tuple(max(1, round(side * factor)) for side in clip.label.shape)
    source, target = [], []
    for room, place, side in zip(np.subtract(have, size), (down, across), size, strict=True):
        offset = int(place * (abs(room) + 1))
        source.append(slice(offset, offset + side) if room > 0 else slice(0, side))
        target.append(slice(0, side) if room > 0 else slice(offset, offset + side + room))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    mean = np.round(np.multiply(MEAN, 255)).astype(np.uint8)
    frames = np.full((len(clip.frames), *size, 3), mean)
    for frame, window in zip(clip.frames, frames, strict=True):
        window[*target] = cv2.resize(frame, have[::-1], interpolation=how)[*source]
    label = np.full(size, VOID, np.uint8)
    label[*target] = cv2.resize(
        clip.label, have[::-1], interpolation=cv2.INTER_NEAREST_EXACT
    )[*source]  # fmt: skip
    if conditions.flip and mirror < 0.5:
        frames, label = frames[:, :, ::-1], label[:, ::-1]
    return frames, label


def noise(rng, height, width, frames=2):
    """The hardest pictures to resize: every channel is black or white."""
    pictures = 255 * rng.integers(0, 2, (frames, height, width, 3), np.uint8)
    return Clip(pictures, rng.integers(0, 256, (height, width), np.uint8), "x/1")


SIDES = st.integers(3, 160)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@example(3, 12, 3, 3, 0.9375, 0)  # OpenCV copies a strip whose size stays the same
@given(SIDES, SIDES, SIDES, SIDES, st.floats(0.4, 2.2), st.integers(0, 2**32))
def test_a_crop_shows_what_the_whole_resized_clip_shows_there(
    height, width, rows, columns, factor, seed
):
    clip = noise(np.random.default_rng(seed), height, width)
    asked = conditions((height, width), (factor, factor), flip=True, crop=(rows, columns))
    out = augment(clip, asked, np.random.default_rng(seed))
    frames, label = resized_then_cut(clip, asked, np.random.default_rng(seed))
    np.testing.assert_array_equal(out.label, label)
    assert cv2.absdiff(out.frames, frames).max() <= 1


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES, st.floats(0.4, 2.2), st.integers(0, 2**32))
def test_without_a_crop_the_whole_clip_is_resized_to_the_bit(
    height, width, rows, columns, factor, seed
):
    clip = noise(np.random.default_rng(seed), height, width)
    asked = conditions((rows, columns), (factor, factor), flip=True)
    out = augment(clip, asked, np.random.default_rng(seed))
    frames, label = resized_then_cut(clip, asked, np.random.default_rng(seed))
    np.testing.assert_array_equal(out.label, label)
    np.testing.assert_array_equal(out.frames, frames)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.5, 0.5004, 0.77, 0.9996, 1.0001, 1.0004, 1.3, 1.9996, 2.0])
def test_a_crop_of_the_paper_shows_what_the_whole_frames_show(factor):
    clip = noise(np.random.default_rng(0), 1024, 2048, frames=1)
    asked = conditions((1024, 2048), (factor, factor), crop=(769, 769))
    for seed in range(3):
        out = augment(clip, asked, np.random.default_rng(seed))
        frames, label = resized_then_cut(clip, asked, np.random.default_rng(seed))
        np.testing.assert_array_equal(out.label, label)
        assert cv2.absdiff(out.frames, frames).max() <= 1


def test_batches_are_normalised_and_channels_come_before_rows():
    rng = np.random.default_rng(0)
    clips = [
        Clip(
            rng.integers(0, 256, (3, 6, 8, 3), np.uint8),
            rng.integers(0, 11, (6, 8), np.uint8),
            str(i),
        )
        for i in range(2)
    ]
    images, labels = to_tensors(
        stacked([clip.frames for clip in clips]), stacked([clip.label for clip in clips]), "cpu"
    )
    assert images.shape == (2, 3, 3, 6, 8)
    assert images.dtype == torch.float32
    assert images.is_contiguous()
    assert labels.shape == (2, 6, 8)
    assert labels.dtype == torch.int64
    expected = (clips[1].frames[2].astype(np.float64) / 255 - MEAN) / STD
    np.testing.assert_allclose(images[1, 2].permute(1, 2, 0).numpy(), expected, atol=1e-5)
    np.testing.assert_array_equal(labels[1].numpy(), clips[1].label)


def test_labels_may_have_another_size_than_frames():
    clip = Clip(np.zeros((2, 4, 8, 3), np.uint8), np.full((9, 10), VOID, np.uint8), "x/1")
    images, labels = to_tensors(stacked([clip.frames]), stacked([clip.label]), "cpu")
    assert images.shape == (1, 2, 3, 4, 8)
    assert labels.shape == (1, 9, 10)
    assert labels.unique().item() == pytest.approx(VOID)


def test_frames_are_normalised_where_they_are():
    """The meta device stands for a GPU: nothing of the arithmetic is left on the CPU."""
    frames = torch.empty((2, 3, 4, 8, 3), dtype=torch.uint8, device="meta")
    found = normalise(frames)
    assert found.device.type == "meta"
    assert found.shape == (2, 3, 3, 4, 8)
    assert found.dtype == torch.float32
