"""Flow files in Middlebury's .flo format: (H, W, 2) float32, NaN where the flow is unknown."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from msaf_bench.errors import DataError
from msaf_bench.files import write_atomic
from msaf_bench.inputs import regular

FLO_TAG = 202021.25  #: Middlebury's tag at the start of a flow file
UNKNOWN = 1e9  #: a component of this size or more marks unknown flow
_LARGEST = 2**15  # limit for rows and columns; more means a damaged header
_HEADER = 12  # bytes: tag, width, height


def write_flow(path: Path, flow: NDArray[np.float32]) -> None:
    """Write flow (H, W, 2) as a .flo file.

    The file has a tag, width, height, then (dx, dy) row by row, little-endian. NaN is written as
    unknown.
    """
    height, width = flow.shape[:2]
    head = np.float32(FLO_TAG).astype("<f4").tobytes() + np.array([width, height], "<i4").tobytes()
    write_atomic(path, head + np.nan_to_num(flow, nan=2 * UNKNOWN).astype("<f4").tobytes())


def read_flow(path: Path) -> NDArray[np.float32]:
    """Read a .flo file as (H, W, 2), with NaN for unknown flow.

    Raises `DataError` if the file has another format or is truncated.
    """
    try:
        data = regular(path).read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); give the folder of the .flo files"
        ) from error
    if len(data) < _HEADER or np.frombuffer(data, "<f4", 1)[0] != np.float32(FLO_TAG):
        raise DataError(
            f"{path}: not a Middlebury .flo file (its first 4 bytes are not {FLO_TAG} as float32)"
        )
    width, height = (int(n) for n in np.frombuffer(data, "<i4", 2, 4))
    if not (0 < width <= _LARGEST and 0 < height <= _LARGEST):
        raise DataError(f"{path}: its header says {width}x{height} (WxH); restore the file")
    expected = _HEADER + 8 * width * height
    if len(data) != expected:
        raise DataError(
            f"{path}: {len(data)} bytes, but {width}x{height} (WxH) flow has {expected};"
            " restore the file"
        )
    flow = np.frombuffer(data, "<f4", offset=_HEADER).reshape(height, width, 2).astype(np.float32)
    if np.isnan(flow).any():
        raise DataError(
            f"{path}: NaN in the flow; unknown flow is written as {UNKNOWN:.0e} or more"
        )
    flow[(np.abs(flow) >= UNKNOWN).any(-1)] = np.nan
    return flow
