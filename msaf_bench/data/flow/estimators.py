"""Estimators of optical flow from two pictures, and a cache of their results."""

import hashlib
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.flow import FlowField
from msaf_bench.errors import DataError, HostError, one_of
from msaf_bench.files import write_atomic
from msaf_bench.inputs import regular

DIS_LEAST = 12  #: minimum number of rows and columns for DIS

_Ways = tuple[NDArray[np.float32], NDArray[np.float32]]  # forward, backward

#: Estimators, each with all parameters and versions that affect its result.
ESTIMATORS = {
    "dis": f"OpenCV {cv2.__version__} DIS, preset medium, grey",
    "farneback": (
        f"OpenCV {cv2.__version__} Farnebäck, pyramid 5 x 0.5, window 15, 3 iterations, polynomial"
        " 5 / 1.2, grey"
    ),
    "raft": "torchvision RAFT large, weights C_T_SKHT_V2, 20 iterations",
    "zero": "no motion",
}


def estimate(
    kind: str, earlier: NDArray[np.uint8], later: NDArray[np.uint8], cache: Path | None = None
) -> FlowField:
    """Estimate the flow between two pictures (H, W, 3), forward and backward.

    Args:
        kind: one of `ESTIMATORS`.
        earlier: the first picture.
        later: the second picture, of the same size.
        cache: folder that stores each result under the hash of the pictures and of the estimator
            with its parameters and version; a damaged file is computed again.

    Raises:
        UsageError: for an unknown estimator.
        DataError: if the pictures differ in size, or are too small for the estimator.
        HostError: if the estimator is not installed.
    """
    one_of("flow", kind, ESTIMATORS)
    if earlier.shape != later.shape:
        raise DataError(
            f"flow from a picture of {earlier.shape[:2]} to one of {later.shape[:2]}; frames of one"
            " video have one size"
        )
    if kind == "zero":
        still = np.zeros((*earlier.shape[:2], 2), np.float32)
        return FlowField(still, still)
    if cache is None:
        return FlowField(*_estimated(kind, earlier, later))
    digest = hashlib.sha256(f"{ESTIMATORS[kind]} {earlier.shape}".encode())
    digest.update(np.ascontiguousarray(earlier).data)
    digest.update(np.ascontiguousarray(later).data)
    path = cache / f"{digest.hexdigest()[:32]}.flow"
    known = _cached(path, digest.digest(), earlier.shape[:2])
    if known is None:
        known = _estimated(kind, earlier, later)
        body = np.stack(known).astype("<f4").tobytes()
        # the key is part of the checksum, so that a file under a wrong name is detected
        write_atomic(path, hashlib.sha256(digest.digest() + body).digest() + body)
    return FlowField(*known)


def flat(picture: NDArray[np.uint8]) -> bool:
    """Return whether a picture is too uniform for flow estimation.

    It is if the standard deviation is under 1 of 255 grey levels.
    """
    return float(_grey(picture).std()) < 1


def _cached(path: Path, key: bytes, size: tuple[int, ...]) -> _Ways | None:
    """Return the cached flow for the pictures of this key.

    Returns None if the file is missing, damaged, or belongs to other pictures.
    """
    try:
        data = regular(path).read_bytes()
    except OSError:
        return None
    body = data[32:]
    if len(body) != 16 * size[0] * size[1] or hashlib.sha256(key + body).digest() != data[:32]:
        return None
    forward, backward = (
        np.frombuffer(body, "<f4").astype(np.float32, copy=False).reshape(2, *size, 2)
    )
    return forward, backward


def _estimated(kind: str, earlier: NDArray[np.uint8], later: NDArray[np.uint8]) -> _Ways:
    if kind == "raft":
        return _raft(earlier, later)
    one, two = _grey(earlier), _grey(later)
    if kind == "dis" and min(one.shape) < DIS_LEAST:
        raise DataError(
            f"--flow dis: frames of {one.shape[0]}x{one.shape[1]} are too small, DIS needs"
            f" {DIS_LEAST} rows and columns"
        )
    estimator = dis if kind == "dis" else _farneback
    return estimator(one, two), estimator(two, one)


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def dis(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return DIS flow (H, W, 2) from one grey picture (H, W) to another."""
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(estimator.calc(a, b, np.zeros((*a.shape, 2), np.float32)), np.float32)


def _farneback(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    flow = cv2.calcOpticalFlowFarneback(
        a, b, np.zeros((*a.shape, 2), np.float32), 0.5, 5, 15, 3, 5, 1.2, 0
    )
    return np.asarray(flow, np.float32)


def _raft(earlier: NDArray[np.uint8], later: NDArray[np.uint8]) -> _Ways:
    try:
        import torch

        models = import_module("torchvision.models.optical_flow")
        net = models.raft_large(weights=models.Raft_Large_Weights.C_T_SKHT_V2).eval()
    except Exception as error:
        # a broken torchvision raises RuntimeError, a download without a network URLError
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise HostError(
            f"--flow raft: {reason}; install the torchvision that fits this torch and its RAFT"
            " weights, or use dis"
        ) from error
    height, width = earlier.shape[:2]
    # RAFT needs multiples of 8, at least 128.
    padding = (*((0, max(-side % 8, 128 - side)) for side in (height, width)), (0, 0))
    both = np.stack([np.pad(picture, padding, "edge") for picture in (earlier, later)]).transpose(
        0, 3, 1, 2
    )
    images = torch.from_numpy(both).float() / 127.5 - 1
    with torch.inference_mode():
        flow = net(images, images.flip(0), num_flow_updates=20)[-1]
    forward, backward = flow[:, :, :height, :width].permute(0, 2, 3, 1).contiguous().numpy()
    return forward, backward
