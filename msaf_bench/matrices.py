"""Confusion matrices of many images, of which only the cells that are not zero are kept. No torch
here.

A split of 24,502 images and 124 classes has 377 million cells; an image fills about a hundred of
its 15,376. Shapes: N images, K classes; rows truth, columns prediction.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]  #: (K, K)
MOST = 256  #: classes: ids are bytes, so a cell's place in the flattened matrix fits 16 bits


class SparseMatrices:
    """N confusion matrices of K x K counts, in their order; iterated, each is dense."""

    def __init__(self, classes: int, matrices: Iterable[NDArray[np.integer[Any]]] = ()) -> None:
        if classes > MOST:
            raise ValueError(f"{classes} classes; at most {MOST}")
        self.classes = classes
        self._cells: list[NDArray[np.uint16]] = []
        self._counts: list[NDArray[np.uint32]] = []
        for matrix in matrices:
            self.append(matrix)

    @classmethod
    def joined(
        cls,
        classes: int,
        filled: NDArray[np.integer[Any]],
        cells: NDArray[np.uint16],
        counts: NDArray[np.uint32],
    ) -> Self:
        """Return the matrices of `flat`'s arrays. Raises `ValueError` for arrays that do not belong
        together.
        """
        if int(filled.sum()) != len(cells) or len(cells) != len(counts):
            raise ValueError(f"{len(cells)} cells and {len(counts)} counts, not {filled.sum()}")
        if len(cells) and int(cells.max()) >= classes**2:
            raise ValueError(f"cell {cells.max()} of {classes} x {classes}")
        found, ends = cls(classes), np.cumsum(filled)
        for end, count in zip(ends.tolist(), filled.tolist(), strict=True):
            found._cells.append(cells[end - count : end])
            found._counts.append(counts[end - count : end])
        return found

    def append(self, matrix: NDArray[np.integer[Any]]) -> None:
        """Add the matrix (K, K) of one more image."""
        flat = matrix.reshape(self.classes**2)
        cells = np.flatnonzero(flat)
        self._cells.append(cells.astype(np.uint16))
        self._counts.append(flat[cells].astype(np.uint32))

    def __len__(self) -> int:
        return len(self._cells)

    def __iter__(self) -> Iterator[Matrix]:
        for cells, counts in zip(self._cells, self._counts, strict=True):
            matrix = np.zeros(self.classes**2, np.int64)
            matrix[cells] = counts
            yield matrix.reshape(self.classes, self.classes)

    def __getitem__(self, images: slice) -> Self:
        """Return the matrices of some images."""
        found = type(self)(self.classes)
        found._cells, found._counts = self._cells[images], self._counts[images]
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SparseMatrices):
            return NotImplemented
        mine, others = self.flat(), other.flat()
        return self.classes == other.classes and all(map(np.array_equal, mine, others))

    __hash__ = None  # pyright: ignore[reportAssignmentType]  (it can be appended to)

    def sum(self) -> Matrix:
        """Return the counts over all images, (K, K)."""
        total = np.zeros(self.classes**2, np.int64)
        for cells, counts in zip(self._cells, self._counts, strict=True):
            total[cells] += counts
        return total.reshape(self.classes, self.classes)

    def areas(self) -> tuple[Matrix, Matrix]:
        """Return the pixels by image and class, each (N, K): where truth and prediction agree on
        the class, and where either has it.
        """
        hits, unions = (np.zeros((len(self), self.classes), np.int64) for _ in range(2))
        for image, (cells, counts) in enumerate(zip(self._cells, self._counts, strict=True)):
            rows, columns = np.divmod(cells, np.uint16(self.classes))
            agree = rows == columns
            hits[image, rows[agree]] = counts[agree]
            # float64 holds these sums exactly
            either = np.bincount(rows, counts, self.classes)
            either += np.bincount(columns, counts, self.classes)
            unions[image] = either.astype(np.int64) - hits[image]
        return hits, unions

    def flat(self) -> tuple[NDArray[np.uint32], NDArray[np.uint16], NDArray[np.uint32]]:
        """Return how many cells each image fills (N,); of all of them, image by image, the place in
        the flattened matrix and the count.
        """
        filled = np.array([len(cells) for cells in self._cells], np.uint32)
        none = np.empty(0, np.uint16)
        cells = np.concatenate([none, *self._cells])
        return filled, cells, np.concatenate([none.astype(np.uint32), *self._counts])
