"""Sparse confusion matrices of many images. No torch here.

Only non-zero cells are stored: 24,502 images with 124 classes have 377 million cells, but an image
fills about 100 of its 15,376. Shapes: N images, K classes; rows are ground truth, columns
predictions.
"""

import base64
import zlib
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]  #: (K, K)
MOST = 256  #: maximum number of classes; the index of a flattened cell then fits 16 bits


class SparseMatrices:
    """N confusion matrices of K x K counts, in order. Iteration yields dense matrices.

    All cells lie in two growing arrays. Small arrays per image would fragment memory, because large
    arrays are allocated and freed between them.
    """

    def __init__(self, classes: int, matrices: Iterable[NDArray[np.integer[Any]]] = ()) -> None:
        if classes > MOST:
            raise ValueError(f"{classes} classes; at most {MOST}")
        self.classes = classes
        self._ends = array("Q")  # end of each image's cells
        self._cells, self._counts = array("H"), array("I")
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
        """Return the matrices from the arrays returned by `flat`.

        Args:
            classes: Number of classes K.
            filled: Number of non-zero cells per image (N,).
            cells: Index of each of these cells in the flattened matrix, image by image.
            counts: Count in each of these cells.

        Raises:
            ValueError: The arrays do not belong together.
        """
        if int(filled.sum()) != len(cells) or len(cells) != len(counts):
            raise ValueError(f"{len(cells)} cells and {len(counts)} counts, not {filled.sum()}")
        if len(cells) and int(cells.max()) >= classes**2:
            raise ValueError(f"cell {cells.max()} of {classes} x {classes}")
        found = cls(classes)
        found._ends.frombytes(np.cumsum(filled, dtype=np.uint64).tobytes())
        found._cells.frombytes(cells.astype(np.uint16).tobytes())
        found._counts.frombytes(counts.astype(np.uint32).tobytes())
        return found

    def append(self, matrix: NDArray[np.integer[Any]]) -> None:
        """Append the matrix (K, K) of one more image."""
        flat = matrix.reshape(self.classes**2)
        cells = np.flatnonzero(flat)
        self._cells.frombytes(cells.astype(np.uint16).tobytes())
        self._counts.frombytes(flat[cells].astype(np.uint32).tobytes())
        self._ends.append(len(self._cells))

    def flat(self) -> tuple[NDArray[np.uint32], NDArray[np.uint16], NDArray[np.uint32]]:
        """Return the number of non-zero cells per image (N,), and the index and count of each cell.

        The indices refer to the flattened matrix. Cells are ordered image by image.
        """
        filled = np.diff(np.array(self._ends, np.int64), prepend=0).astype(np.uint32)
        return filled, np.array(self._cells, np.uint16), np.array(self._counts, np.uint32)

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[Matrix]:
        _, cells, counts = self.flat()
        start = 0
        for end in self._ends:
            matrix = np.zeros(self.classes**2, np.int64)
            matrix[cells[start:end]] = counts[start:end]
            yield matrix.reshape(self.classes, self.classes)
            start = end

    def __getitem__(self, images: slice) -> Self:
        """Return the matrices of a contiguous range of images."""
        filled, cells, counts = self.flat()
        first, end, step = images.indices(len(self))
        if step != 1:
            raise ValueError(f"every {step}. matrix; take all of a range")
        starts = [0, *self._ends]
        inside = slice(starts[first], starts[max(first, end)])
        return self.joined(self.classes, filled[first:end], cells[inside], counts[inside])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SparseMatrices):
            return NotImplemented
        mine, others = self.flat(), other.flat()
        return self.classes == other.classes and all(map(np.array_equal, mine, others))

    __hash__ = None  # pyright: ignore[reportAssignmentType]  (it can be appended to)

    def document(self) -> dict[str, Any]:
        """Return the matrices for a JSON document: sizes, and the arrays of `flat` compressed."""
        filled, cells, counts = self.flat()
        data = (filled.astype("<u4"), cells.astype("<u2"), counts.astype("<u4"))
        packed = zlib.compress(b"".join(each.tobytes() for each in data), 9)
        return {
            "images": len(self),
            "classes": self.classes,
            "cells": len(cells),
            "zlib": base64.b64encode(packed).decode(),
        }

    def sum(self) -> Matrix:
        """Return the counts over all images (K, K)."""
        _, cells, counts = self.flat()
        return _summed(cells, counts, self.classes**2).reshape(self.classes, self.classes)

    def areas(self) -> tuple[Matrix, Matrix]:
        """Return intersection and union in pixels per image and class, each (N, K)."""
        filled, cells, counts = self.flat()
        rows, columns = np.divmod(cells, np.uint16(self.classes))
        first = np.repeat(np.arange(len(self)) * self.classes, filled)  # offset of each image
        size, agree = len(self) * self.classes, rows == columns
        hits = _summed((first + rows)[agree], counts[agree], size)
        unions = _summed(first + rows, counts, size) + _summed(first + columns, counts, size) - hits
        return hits.reshape(-1, self.classes), unions.reshape(-1, self.classes)


def _summed(places: NDArray[np.integer[Any]], counts: NDArray[np.uint32], size: int) -> Matrix:
    """Return the sum of the counts at each place: exact, as float64 holds any number of pixels."""
    return np.bincount(places, counts, size).astype(np.int64)
