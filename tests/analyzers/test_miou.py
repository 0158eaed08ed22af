import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msaf_bench.analyzers.miou import best_constant, confusion_matrix, iou_per_class, miou
from msaf_bench.errors import DataError

VOID = 255


def oracle(truth, prediction, classes):
    """Pixel by pixel with dictionaries."""
    hit, union = {}, {}
    for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if t == VOID:
            continue
        for c in {t, p}:
            union[c] = union.get(c, 0) + 1
        if t == p:
            hit[t] = hit.get(t, 0) + 1
    return [hit.get(c, 0) / union[c] if c in union else float("nan") for c in range(classes)]


def maps(seed, classes=5, shape=(9, 11), void=0.2):
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=shape).astype(np.uint8)
    prediction = np.where(rng.random(shape) < 0.5, truth, rng.integers(classes, size=shape)).astype(np.uint8)
    truth[rng.random(shape) < void] = VOID
    return truth, prediction


@given(st.integers(0, 2**32 - 1))
def test_it_is_the_dictionary_count(seed):
    truth, prediction = maps(seed)
    np.testing.assert_allclose(iou_per_class(confusion_matrix(truth, prediction, 5)), oracle(truth, prediction, 5))


def test_a_hand_made_example():
    truth = np.array([[0, 0, 1], [1, 2, VOID]], np.uint8)
    prediction = np.array([[0, 1, 1], [1, 1, 2]], np.uint8)
    confusion = confusion_matrix(truth, prediction, 4)
    assert confusion.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(iou_per_class(confusion), [1 / 2, 2 / 4, 0, np.nan])
    assert miou(confusion) == pytest.approx(100 / 3)
    assert best_constant(confusion) == pytest.approx(100 * 2 / 5 / 3)


def test_images_add_up_in_any_order():
    pairs = [maps(seed) for seed in range(6)]
    whole = confusion_matrix(np.concatenate([t for t, _ in pairs]), np.concatenate([p for _, p in pairs]), 5)
    np.testing.assert_array_equal(whole, sum(confusion_matrix(*pair, 5) for pair in reversed(pairs)))


def test_renaming_classes_renames_the_scores():
    truth, prediction = maps(3)
    order = np.append(np.random.default_rng(0).permutation(5), np.full(251, VOID)).astype(np.uint8)
    plain, renamed = (iou_per_class(confusion_matrix(t, p, 5)) for t, p in ((truth, prediction), (order[truth], order[prediction])))
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
    assert best_constant(confusion_matrix(truth, np.zeros_like(truth), 5)) == pytest.approx(max(scores))
