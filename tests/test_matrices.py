"""Confusion matrices without their zeros are the matrices."""

import numpy as np
import pytest

from msaf_bench.matrices import SparseMatrices

RNG = np.random.default_rng(0)
DENSE = RNG.integers(0, 2**32, (7, 5, 5)) * (RNG.random((7, 5, 5)) < 0.3)
DENSE[3] = 0  # an image that is all void


@pytest.fixture
def sparse():
    return SparseMatrices(5, DENSE)


def test_they_come_back_as_they_went(sparse):
    assert len(sparse) == 7
    np.testing.assert_array_equal(list(sparse), DENSE)
    np.testing.assert_array_equal(list(sparse[2:5]), DENSE[2:5])
    np.testing.assert_array_equal(sparse.sum(), DENSE.sum(0))
    np.testing.assert_array_equal(sparse[:0].sum(), np.zeros((5, 5)))


def test_areas_are_those_of_each_image(sparse):
    hits, unions = sparse.areas()
    own = np.diagonal(DENSE, axis1=1, axis2=2)
    np.testing.assert_array_equal(hits, own)
    np.testing.assert_array_equal(unions, DENSE.sum(1) + DENSE.sum(2) - own)


def test_equal_ones_are_equal(sparse):
    again = SparseMatrices(5)
    for matrix in DENSE:
        again.append(matrix)
    assert again == sparse == SparseMatrices.joined(5, *sparse.flat())
    assert sparse != sparse[:6]
    assert sparse != SparseMatrices(5, [*DENSE[:6], DENSE[6] + 1])
    assert SparseMatrices(2) != SparseMatrices(3)
    assert sparse != DENSE.tolist()


@pytest.mark.parametrize("lost", range(3))
def test_arrays_that_do_not_belong_together_are_refused(sparse, lost):
    arrays = list(sparse.flat())
    arrays[lost] = arrays[lost][:-1]
    with pytest.raises(ValueError, match="cells"):
        SparseMatrices.joined(5, *arrays)
    with pytest.raises(ValueError, match="of 4 x 4"):
        SparseMatrices.joined(4, *sparse.flat())


def test_more_classes_than_an_id_holds_are_refused():
    with pytest.raises(ValueError, match="at most 256"):
        SparseMatrices(257)
