"""Placement of the labels of points, without overlaps of labels, points and edges.

Shapes: N labels, P points, C candidate places. All lengths are in typographic points, y upwards; a
box is x0, y0, x1, y1.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: from a point's marker to its label
DISTANCES = (0.0, 4.0, 9.0, 16.0, 25.0, 36.0, 50.0, 68.0)
DIRECTIONS = 24
SWEEPS = 6


def place(
    points: Floats,
    sizes: Floats,
    frame: Sequence[float],
    obstacles: Floats | None = None,
    radius: float = 5.0,
) -> Floats:
    """Return the centres of the labels (N, 2).

    Labels are placed greedily, the most crowded first. Then each label moves to the best of its
    candidate places given the others, a few times.

    Args:
        points: (P, 2); the first N have labels
        sizes: width and height of the labels (N, 2)
        frame: box of the axes
        obstacles: boxes that labels should not cover (M, 4)
        radius: radius of the markers
    """
    count = len(sizes)
    markers = np.hstack([points - radius, points + radius])
    if obstacles is not None:
        markers = np.vstack([markers, obstacles])
    candidates = [_around(points[i], sizes[i], radius) for i in range(count)]
    leads = [np.hstack([np.broadcast_to(points[i], c.shape), c]) for i, c in enumerate(candidates)]
    fixed = [
        _fixed_cost(candidates[i], sizes[i], points[i], markers, frame)
        + 60 * _through(leads[i], np.delete(markers, i, 0)).sum(1)
        for i in range(count)
    ]
    crowd = [float((np.abs(points - points[i]) < (60, 20)).all(1).sum()) for i in range(count)]
    placed: dict[int, Floats] = {}
    for _ in range(SWEEPS):
        for i in sorted(range(count), key=lambda i: (-crowd[i], i)):
            others = [j for j in placed if j != i]
            boxes = np.array([_boxes(placed[j], sizes[j]) for j in others]).reshape(-1, 4)
            lines = np.array([[*points[j], *placed[j]] for j in others]).reshape(-1, 4)
            around = _boxes(candidates[i], sizes[i])
            cost = (
                fixed[i]
                + 4 * _overlap(around, boxes)
                + 40 * _crossings(points[i], candidates[i], lines)
                + 60 * _through(leads[i], boxes).sum(1)
                + 60 * _through(lines, around).sum(0)
            )
            placed[i] = candidates[i][int(cost.argmin())]
    return np.array([placed[i] for i in range(count)]).reshape(-1, 2)


def _around(point: Floats, size: Floats, radius: float) -> Floats:
    """Return candidate centres of a label (C, 2), one per distance and direction."""
    angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    ways = np.stack([np.cos(angles), np.sin(angles)], 1)  # (D, 2)
    # Distance from the centre of a box to its edge in each direction.
    reach = (size / 2 / np.maximum(np.abs(ways), 1e-9)).min(1)
    steps = np.array(DISTANCES)[:, None] + radius + 1 + reach
    return (point + steps[..., None] * ways).reshape(-1, 2)


def _boxes(centres: Floats, size: Floats) -> Floats:
    return np.concatenate([centres - size / 2 - 1, centres + size / 2 + 1], -1)


def _overlap(boxes: Floats, others: Floats) -> Floats:
    """Return the summed overlap of each box (C, 4) with the others (M, 4), as (C,)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.clip(high - low, 0, None).prod(-1).sum(1)


def _fixed_cost(
    candidates: Floats, size: Floats, point: Floats, markers: Floats, frame: Sequence[float]
) -> Floats:
    """Return the cost independent of other labels: covered markers, distance, overhang; (C,)."""
    boxes = _boxes(candidates, size)
    out = np.clip(np.array(frame[:2]) - boxes[:, :2], 0, None).sum(1) + np.clip(
        boxes[:, 2:] - np.array(frame[2:]), 0, None
    ).sum(1)
    return 2 * _overlap(boxes, markers) + 200 * out + np.hypot(*(candidates - point).T)


def _crossings(point: Floats, candidates: Floats, lines: Floats) -> Floats:
    """Count the crossings of each candidate's leader line with those of other labels; (C,).

    `lines` (M, 4) run from the other points to their labels.
    """
    if not len(lines):
        return np.zeros(len(candidates))

    def side(a: Floats, b: Floats, c: Floats) -> Floats:
        return np.sign(
            (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1])
            - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
        )

    start, end = lines[None, :, :2], lines[None, :, 2:]
    there = candidates[:, None]
    across = (side(point, there, start) != side(point, there, end)) & (
        side(start, end, point) != side(start, end, there)
    )
    return across.sum(1).astype(np.float64)


def _through(lines: Floats, boxes: Floats) -> Floats:
    """Return 1 for each line (L, 4) that runs through a box (B, 4), else 0; (L, B)."""
    start, way = lines[:, None, :2], (lines[:, 2:] - lines[:, :2])[:, None]
    way = np.where(way == 0, 1e-9, way)
    # Positions along the line (0 to 1) at the sides of the box, for x and for y.
    passes = np.stack([(boxes[:, :2] - start) / way, (boxes[:, 2:] - start) / way])
    enters = np.maximum(passes.min(0).max(-1), 0)
    leaves = np.minimum(passes.max(0).min(-1), 1)
    return (enters < leaves).astype(np.float64)
