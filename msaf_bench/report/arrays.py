"""NumPy archives of arrays and of sparse matrices, which are stored dense."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msaf_bench.matrices import SparseMatrices


def npz(arrays: Mapping[str, SparseMatrices | NDArray[Any] | Sequence[str]]) -> bytes:
    """Return the bytes of an archive as written by `np.savez_compressed`.

    Sparse matrices become (N, K, K) int64, with one dense matrix in memory at a time.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                if not isinstance(each, SparseMatrices):
                    np.lib.format.write_array(file, np.asarray(each), allow_pickle=False)
                    continue
                shape = (len(each), each.classes, each.classes)
                header = {"descr": "<i8", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for matrix in each:
                    file.write(matrix.astype("<i8").tobytes())
    return packed.getvalue()
