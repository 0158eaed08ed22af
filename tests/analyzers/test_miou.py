import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msaf_bench.analyzers.miou import (
    best_constant,
    class_iou,
    class_scores,
    confusion_matrix,
    constant_counts,
    count_ids,
    miou,
)
from msaf_bench.errors import DataError

VOID = 255


def oracle(truth, prediction, classes):
    """Pixel by pixel with dictionaries, in percent."""
    hit, union = {}, {}
    for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if t == VOID:
            continue
        for c in {t, p}:
            union[c] = union.get(c, 0) + 1
        if t == p:
            hit[t] = hit.get(t, 0) + 1
    return [100 * hit.get(c, 0) / union[c] if c in union else float("nan") for c in range(classes)]


def maps(seed, classes=5, shape=(9, 11), void=0.2):
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=shape).astype(np.uint8)
    prediction = np.where(rng.random(shape) < 0.5, truth, rng.integers(classes, size=shape)).astype(
        np.uint8
    )
    truth[rng.random(shape) < void] = VOID
    return truth, prediction


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1))
def test_it_is_the_dictionary_count(seed):
    truth, prediction = maps(seed)
    np.testing.assert_allclose(
        class_iou(confusion_matrix(truth, prediction, 5)), oracle(truth, prediction, 5)
    )


def test_a_hand_made_example():
    truth = np.array([[0, 0, 1], [1, 2, VOID]], np.uint8)
    prediction = np.array([[0, 1, 1], [1, 1, 2]], np.uint8)
    confusion = confusion_matrix(truth, prediction, 4)
    assert confusion.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(class_iou(confusion), [50, 50, 0, np.nan])
    assert miou(confusion) == pytest.approx(100 / 3)
    assert best_constant(confusion) == pytest.approx(100 * 2 / 5 / 3)


def test_images_add_up_in_any_order():
    pairs = [maps(seed) for seed in range(6)]
    whole = confusion_matrix(
        np.concatenate([t for t, _ in pairs]), np.concatenate([p for _, p in pairs]), 5
    )
    np.testing.assert_array_equal(
        whole, sum(confusion_matrix(*pair, 5) for pair in reversed(pairs))
    )


def test_renaming_classes_renames_the_scores():
    truth, prediction = maps(3)
    order = np.append(np.random.default_rng(0).permutation(5), np.full(251, VOID)).astype(np.uint8)
    plain, renamed = (
        class_iou(confusion_matrix(t, p, 5))
        for t, p in ((truth, prediction), (order[truth], order[prediction]))
    )
    np.testing.assert_array_equal(renamed[order[:5]], plain)


def test_nothing_to_score_is_nan_without_a_warning():
    nothing = np.full((2, 2), VOID, np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        confusion = confusion_matrix(nothing, np.zeros((2, 2), np.uint8), 3)
        assert np.isnan(miou(confusion))
        assert np.isnan(best_constant(confusion))


def test_strays_and_sizes_are_refused():
    fine = np.zeros((2, 2), np.uint8)
    with pytest.raises(DataError, match="label 7"):
        confusion_matrix(np.full((2, 2), 7, np.uint8), fine, 3)
    with pytest.raises(DataError, match="label 9"):
        confusion_matrix(fine, np.full((2, 2), 9, np.uint8), 3)
    with pytest.raises(DataError, match="resize"):
        confusion_matrix(fine, np.zeros((2, 3), np.uint8), 3)


def test_the_best_constant_is_the_best_of_all():
    truth, _ = maps(1)
    scores = [miou(confusion_matrix(truth, np.full_like(truth, c), 5)) for c in range(5)]
    assert best_constant(confusion_matrix(truth, np.zeros_like(truth), 5)) == pytest.approx(
        max(scores)
    )


def tally(truth, prediction, classes, void):
    """Pixel by pixel with dictionaries: IoU and recall of each class in percent, None where there
    is nothing to divide by.
    """
    hits, misses, false_alarms = (dict.fromkeys(range(classes), 0) for _ in range(3))
    for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if t == VOID and p != VOID and void == "penalise":
            false_alarms[p] += 1
        elif t != VOID and t == p:
            hits[t] += 1
        elif t != VOID:
            misses[t] += 1
            if p != VOID:
                false_alarms[p] += 1
    union = {c: hits[c] + misses[c] + false_alarms[c] for c in hits}
    pixels = {c: hits[c] + misses[c] for c in hits}
    return [
        [100 * hits[c] / whole[c] if whole[c] else None for c in hits] for whole in (union, pixels)
    ]


def mean(values, absent):
    known = [value for value in values if value is not None]
    if not known:
        return None
    return sum(known) / (len(values) if absent == "zero" else len(known))


def counts_of(truth, prediction, classes):
    """256 x 256 -> (K+1) x (K+1) with void last."""
    order = [*range(classes), VOID]
    return count_ids(truth, prediction)[np.ix_(order, order)]


def rough_maps(seed, classes=6):
    """Also with void in the prediction, and now and then without some class, or with nothing but
    void.
    """
    truth, prediction = maps(seed, classes)
    rng = np.random.default_rng(seed)
    prediction[rng.random(prediction.shape) < 0.1] = VOID
    for gone in rng.choice(classes, rng.integers(classes), replace=False):
        truth[truth == gone] = VOID
        prediction[prediction == gone] = rng.integers(classes)
    if seed % 7 == 0:
        truth[:] = VOID
    return truth, prediction


RULES = [(void, absent) for void in ("ignore", "penalise") for absent in ("skip", "zero")]


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.sampled_from(RULES))
def test_the_rules_are_the_dictionary_count(seed, rules):
    void, absent = rules
    truth, prediction = rough_maps(seed)
    iou, recall = tally(truth, prediction, 6, void)
    scores = class_scores(counts_of(truth, prediction, 6), void=void, absent=absent)
    expected = [*iou, *recall, mean(iou, absent), mean(recall, absent)]
    found = [*scores.iou, *scores.recall, scores.miou, scores.class_accuracy]
    np.testing.assert_allclose(
        found, [float("nan") if value is None else value for value in expected], rtol=1e-13
    )
    valid = truth != VOID
    right = 100 * np.mean(truth[valid] == prediction[valid]) if valid.any() else float("nan")
    assert scores.pixel_accuracy == pytest.approx(right, nan_ok=True)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.sampled_from(RULES))
def test_renaming_classes_renames_every_score(seed, rules):
    void, absent = rules
    order = np.append(np.random.default_rng(seed).permutation(6), np.full(250, VOID)).astype(
        np.uint8
    )
    truth, prediction = rough_maps(seed)
    plain, renamed = (
        class_scores(counts_of(t, p, 6), void=void, absent=absent)
        for t, p in ((truth, prediction), (order[truth], order[prediction]))
    )
    np.testing.assert_array_equal(renamed.iou[order[:6]], plain.iou)
    np.testing.assert_array_equal(renamed.recall[order[:6]], plain.recall)
    assert renamed.miou == pytest.approx(plain.miou, nan_ok=True)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.integers(0, 9))
def test_halves_add_up_to_the_whole(seed, row):
    truth, prediction = rough_maps(seed)
    halves = count_ids(truth[row:], prediction[row:]) + count_ids(truth[:row], prediction[:row])
    np.testing.assert_array_equal(halves, count_ids(truth, prediction))


def test_void_by_hand():
    truth = np.array([[0, 0, 0, 1, VOID, VOID, VOID]], np.uint8)
    prediction = np.array([[0, 0, VOID, 1, 1, 2, VOID]], np.uint8)
    counts = counts_of(truth, prediction, 4)
    ignore = class_scores(counts, void="ignore", absent="skip")
    # void predicted on class 0: a miss of it, and nothing else
    np.testing.assert_allclose(ignore.iou, [200 / 3, 100, np.nan, np.nan])
    assert ignore.miou == pytest.approx((200 / 3 + 100) / 2)
    penalise = class_scores(counts, void="penalise", absent="skip")
    # class 2 is predicted at void alone: it counts, with 0
    np.testing.assert_allclose(penalise.iou, [200 / 3, 50, 0, np.nan])
    assert penalise.miou == pytest.approx((200 / 3 + 50) / 3)
    assert class_scores(counts, void="penalise", absent="zero").miou == pytest.approx(
        (200 / 3 + 50) / 4
    )
    np.testing.assert_allclose(penalise.recall, [200 / 3, 100, np.nan, np.nan])
    assert ignore.class_accuracy == penalise.class_accuracy == pytest.approx((200 / 3 + 100) / 2)
    assert ignore.pixel_accuracy == penalise.pixel_accuracy == pytest.approx(75)


def test_the_shorter_way_is_the_same():
    truth, prediction = maps(8)
    confusion = confusion_matrix(truth, prediction, 5)
    scores = class_scores(counts_of(truth, prediction, 5), void="ignore", absent="skip")
    np.testing.assert_array_equal(scores.iou, class_iou(confusion))
    assert scores.miou == miou(confusion)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.sampled_from(RULES))
def test_no_constant_is_better_than_the_best(seed, rules):
    void, absent = rules
    truth, prediction = rough_maps(seed)
    best = class_scores(
        constant_counts(counts_of(truth, prediction, 6)), void=void, absent=absent
    ).miou
    constants = [
        class_scores(counts_of(truth, np.full_like(truth, c), 6), void=void, absent=absent).miou
        for c in range(6)
    ]
    assert best == pytest.approx(max(constants), nan_ok=True)


def test_all_void_has_no_score():
    nothing = np.full((2, 2), VOID, np.uint8)
    for void, absent in RULES:
        scores = class_scores(counts_of(nothing, nothing, 3), void=void, absent=absent)
        assert np.isnan([scores.miou, scores.class_accuracy, scores.pixel_accuracy]).all()
