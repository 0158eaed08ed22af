"""Warping of a later frame back to an earlier one along the flow.

Pixel p of the earlier frame is read at p + F(p) in the later one, from the four surrounding pixels
in reading order: top left, top right, bottom left, bottom right. Positions outside the frame are
clamped to its border, as in Resample2d of FlowNet2.

Shapes: H W image, C channels.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.flow import FlowField

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

BAND = 16  #: rows processed together, so that intermediate results stay in the CPU cache
CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))  #: (row, column) of the four pixels, in reading order


class Places(NamedTuple):
    """Flat indices and bilinear weights of the four pixels read per position: (4, n) each."""

    pixel: NDArray[np.intp]
    weight: Floats

    def some(self, holds: Mask) -> Mask:
        """Return (n,): whether `holds` (4, n) is true for a pixel of nonzero weight."""
        return np.asarray((holds & (self.weight > 0)).any(0))


@dataclass(frozen=True)
class Warp:
    """Flow of one pair and the maps derived from it, each computed on first use."""

    flow: FlowField

    @cached_property
    def unknown(self) -> Mask:
        """Mask (H, W) of unknown flow: not finite, treated as zero."""
        return ~np.isfinite(self.flow.forward[..., 0] + self.flow.forward[..., 1])

    @cached_property
    def x(self) -> Floats:
        """Column (H, W) at which each pixel is read."""
        return self._place(0, np.arange(self.unknown.shape[1], dtype=np.float32))

    @cached_property
    def y(self) -> Floats:
        """Row (H, W) at which each pixel is read."""
        return self._place(1, np.arange(self.unknown.shape[0], dtype=np.float32)[:, None])

    @cached_property
    def outside(self) -> Mask:
        """Mask (H, W) of positions outside the pixel centres of the later frame."""
        height, width = self.unknown.shape
        return (self.x < 0) | (self.x > width - 1) | (self.y < 0) | (self.y > height - 1)

    @cached_property
    def doubtful(self) -> Mask:
        """Mask (H, W) of occlusions and motion boundaries by the rules of Lai et al. (2018)."""
        return lai_mask(self)

    @property
    def hidden(self) -> Mask:
        """Mask (H, W) of occluded pixels: exact if the flow has it, else `doubtful`."""
        return self.doubtful if self.flow.occluded is None else self.flow.occluded

    def _place(self, axis: int, grid: Floats) -> Floats:
        moved = grid + self.flow.forward[..., axis]
        return np.where(self.unknown, grid, moved) if self.unknown.any() else moved

    @cached_property
    def everywhere(self) -> Places:
        """Positions of all pixels."""
        return self.places(slice(None))

    def places(self, at: Any) -> Places:
        """Return the positions of the pixels `at`, an index into the flattened earlier frame."""
        (height, width), x, y = self.unknown.shape, self.x.ravel()[at], self.y.ravel()[at]
        left, top = np.floor(x), np.floor(y)
        a, b = x - left, y - top
        columns = [np.clip(left + i, 0, width - 1).astype(np.intp) for i in (0, 1)]
        rows = [np.clip(top + i, 0, height - 1).astype(np.intp) * width for i in (0, 1)]
        index = np.stack([rows[i] + columns[j] for i, j in CORNERS])
        return Places(index, np.stack([(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b]))


def bilinear(plane: NDArray[Any], x: Floats, y: Floats) -> NDArray[Any]:
    """Read a plane (H, W) of float or complex numbers at columns x and rows y."""
    height, width = plane.shape
    left, top = np.floor(x), np.floor(y)
    a, b = x - left, y - top
    columns = [np.clip(left + i, 0, width - 1).astype(np.int32) for i in (0, 1)]
    rows = [np.clip(top + i, 0, height - 1).astype(np.int32) * width for i in (0, 1)]
    flat = plane.ravel()
    upper, lower = (flat.take(row + columns[0]) for row in rows)
    upper += a * (flat.take(rows[0] + columns[1]) - upper)
    lower += a * (flat.take(rows[1] + columns[1]) - lower)
    lower -= upper
    lower *= b
    return lower + upper


def lai_mask(motion: Warp) -> Mask:
    """Return a mask (H, W) of pixels that are occluded later or lie at a motion boundary.

    The rules are those of the released code of Lai et al. (2018). With the backward flow B' warped
    to the earlier frame, a pixel is occluded if |F + B'|² > 0.01 (|F|² + |B'|²) + 0.5; without
    backward flow this test is skipped. A pixel is at a motion boundary if |grad F|² > 0.01 |F|² +
    0.002, with differences to the next column and row. Pixels of unknown flow are masked too.
    """
    flow = _complex(motion.flow.forward)
    if motion.unknown.any():
        flow = np.where(motion.unknown, np.complex64(0), flow)
    backward = None if motion.flow.backward is None else _complex(motion.flow.backward)
    found = motion.unknown.copy()
    for first in range(0, len(flow), BAND):
        rows = slice(first, first + BAND)
        here, mask = flow[rows], found[rows]
        length = _squared(here)
        gradient = np.zeros_like(length)
        gradient[:, :-1] += _squared(np.diff(here, axis=1))
        down = np.diff(flow[first : first + BAND + 1], axis=0)
        gradient[: len(down)] += _squared(down)
        mask |= gradient > 0.01 * length + 0.002
        if backward is not None:
            with np.errstate(invalid="ignore"):
                back = bilinear(backward, motion.x[rows], motion.y[rows])
                # Negated, so that unknown (not finite) backward flow is masked too.
                mask |= ~(_squared(here + back) <= 0.01 * (length + _squared(back)) + 0.5)
    return found


def _complex(flow: Floats) -> NDArray[np.complex64]:
    """Return flow (H, W, 2) as one plane dx + i dy, so that one read gives both components."""
    return np.ascontiguousarray(flow).view(np.complex64)[..., 0]


def _squared(vector: NDArray[np.complex64]) -> Floats:
    return vector.real**2 + vector.imag**2
