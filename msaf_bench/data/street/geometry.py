"""Geometry of a procedural street: visible surface, motion and occlusion of each pixel.

Every surface is a plane, so one 3 x 3 matrix S per frame and surface holds all geometry:

    S (u, v, 1) = q (x, y, 1)

Here (u, v) is a pixel (column, row, centres at integers), (x, y) the point in the surface's own
frame and q > 0 its inverse depth. The surfaces are the K panels, then road, sidewalk (x, z in
metres) and sky (a direction). In its own frame, a panel is [-1, 1] x [-1, 1].

Shapes: F = T + 2 frames (-1 to T), T frames, S = K + 3 surfaces, H W image.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.street.objects import SKYLINE
from msaf_bench.data.street.scene import FAR, Scene

Floats = NDArray[np.float32 | np.float64]
Ints = NDArray[np.int32 | np.int64]

#: least depth of a drawn surface; nearer ones are out of the frame, or about to be run over
NEAR = 1.2


class Viewpoint(NamedTuple):
    """Scene as seen by the camera."""

    matrices: NDArray[np.float64]  #: S: (F, S, 3, 3)
    #: (F, S): higher ranks hide lower ones; 0: ground and sky; -1: not drawn
    rank: NDArray[np.int32]
    ellipse: NDArray[np.bool_]  #: (S,)
    front: NDArray[np.int32]  #: (F, H, W): index of the front-most surface


class Movement(NamedTuple):
    """Motion of the points of T frames to the next or the previous frame."""

    flow: NDArray[np.float32]  #: (T, H, W, 2): (dx, dy) in pixels
    occluded: NDArray[np.bool_]  #: (T, H, W): hidden or out of the frame in that frame


def view(scene: Scene, size: tuple[int, int]) -> Viewpoint:
    """Return the scene as seen by the camera at frames -1 to T."""
    matrices, away, start = _matrices(scene, size)
    panels = scene.panels
    near_end = away[..., 2] - np.where(panels["side"], panels["half"][:, 0], 0)
    drawn = (near_end < FAR) | (panels["layer"] == SKYLINE)
    drawn &= np.where(panels["side"], start < 1, near_end > NEAR)
    frame, panel = np.nonzero(drawn)
    order = np.lexsort((-near_end[frame, panel], panels["layer"][panel], frame))
    frame, panel = frame[order], panel[order]
    rank = np.full(matrices.shape[:2], -1, np.int32)
    rank[frame, panel] = np.arange(1, len(frame) + 1)
    rank[:, len(panels) :] = 0
    front = _ground(scene, matrices, size)
    rows, columns, owner = _spans(
        matrices[frame, panel], start[frame, panel], panels["ellipse"][panel], size
    )
    # Painted from far to near: the last assignment to a pixel stays.
    front.reshape(-1)[(frame[owner] * size[0] + rows) * size[1] + columns] = panel[owner]
    return Viewpoint(matrices, rank, np.append(panels["ellipse"], [False] * 3), front)


def _rays(scene: Scene, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return (F, 3, 3): pixel -> direction in the world (x, y down, z) with a depth of one."""
    drive, focal = scene.drive, scene.drive.focal * size[1]
    cos, sin, zero = np.cos(drive.yaw), np.sin(drive.yaw), np.zeros_like(drive.yaw)
    middle = (size[1] - 1) / 2
    rows = (
        (cos / focal, zero, sin - cos * middle / focal),
        (zero, zero + 1 / focal, -(drive.horizon * size[0]) / focal),
        (-sin / focal, zero, cos + sin * middle / focal),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


def _matrices(
    scene: Scene, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrices S (F, S, 3, 3), and two positions of the panels.

    These are the panels' centres relative to the camera (F, K, 3), and the x at which a panel
    starts to be in front of it (F, K).
    """
    panels, drive = scene.panels, scene.drive
    frames, count = len(drive.z), len(panels)
    t = np.arange(-1.0, frames - 1)[:, None]
    camera = np.stack([drive.x, np.full(frames, drive.height), drive.z], -1)
    away = np.broadcast_to(panels["at"], (frames, count, 3)) - camera[:, None]
    away[..., ::2] += t[..., None] * panels["speed"]
    side, half = panels["side"], panels["half"]
    start = np.where(side, np.maximum(-1.0, (NEAR - away[..., 2]) / half[:, 0]), -1.0)

    # axis along the panel's normal; the panel extends along the other one
    across = np.where(side, 0, 2)
    every = np.arange(count)
    distance = away[:, every, across]
    normal = np.zeros((frames, count, 3))
    normal[:, every, across] = 1 / np.where(np.abs(distance) < 1e-3, 1e-3, distance)
    surface = np.zeros((frames, count + 3, 3, 3))
    surface[:, every, 0, 2 - across] = 1
    surface[:, every, 1, 1] = -1
    surface[:, :count, 0] -= away[:, every, 2 - across, None] * normal
    surface[:, :count, 1] -= away[:, :, 1, None] * normal
    surface[:, :count, 2] = normal
    surface[:, :count, :2] /= half[:, :, None]
    surface[:, count:, 0, 0] = surface[:, count : count + 2, 1, 2] = 1
    surface[:, count : count + 2, :, 1] = (
        np.stack([drive.x, drive.z, np.ones(frames)], -1)[:, None] / drive.height
    )
    surface[:, count + 2, 1, 1], surface[:, count + 2, 2, 2] = -1, 1
    return surface @ _rays(scene, size)[:, None], away, start


def _ground(
    scene: Scene, matrices: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.int32]:
    """Return the surfaces behind all panels: road and sidewalk below the horizon, sky above."""
    height, width = size
    count = len(scene.panels)
    index = np.full((len(matrices), height, width), count + 2, np.int32)
    m = matrices[:, count, :, :, None, None]
    v = np.arange(height)[:, None]
    inverse = m[:, 2, 1] * v + m[:, 2, 2]  # the ground's depth is the same along a row
    x = m[:, 0, 0] * np.arange(width) + m[:, 0, 1] * v + m[:, 0, 2]
    np.copyto(
        index, count + (np.abs(x) > scene.road * inverse), where=inverse > 0, casting="unsafe"
    )
    return index


def _spread(counts: Ints) -> tuple[Ints, Ints]:
    """Return the owner of each member, and the member's number within its owner.

    `counts` holds the number of members per owner.
    """
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def _spans(
    m: NDArray[np.float64], start: Floats, ellipse: NDArray[np.bool_], size: tuple[int, int]
) -> tuple[Ints, Ints, Ints]:
    """Return the rows, columns and panels of the pixels with a centre covered by a panel.

    In one column, these are one run of rows, since q depends only on u.
    """
    height, width = size
    ends = [(x * m[:, 2, 2] - m[:, 0, 2]) / (m[:, 0, 0] - x * m[:, 2, 0]) for x in (start, 1.0)]
    left = np.ceil(np.clip(np.minimum(*ends), 0, width)).astype(np.int64)
    right = np.floor(np.clip(np.maximum(*ends), -1, width - 1)).astype(np.int64)
    panel, step = _spread(np.maximum(right - left + 1, 0))
    u = left[panel] + step
    m = m[panel]
    q = m[:, 2, 0] * u + m[:, 2, 2]
    x = (m[:, 0, 0] * u + m[:, 0, 2]) / q
    inside = (np.abs(x) <= 1) & (q > 0)
    reach = np.where(inside, np.where(ellipse[panel], np.sqrt(np.maximum(1 - x * x, 0)), 1), -1) * q
    middle = m[:, 1, 0] * u + m[:, 1, 2]
    top = np.ceil(np.clip((reach - middle) / m[:, 1, 1], 0, height)).astype(np.int64)
    bottom = np.floor(np.clip((-reach - middle) / m[:, 1, 1], -1, height - 1)).astype(np.int64)
    column, step = _spread(np.maximum(bottom - top + 1, 0))
    return top[column] + step, u[column], panel[column]


def motion(
    scene: Scene, seen: Viewpoint, inverse_depth: NDArray[np.float32], step: int
) -> Movement:
    """Return the motion of every pixel of frames 0 to T - 1 to frame t + `step`.

    Args:
        scene: the scene.
        seen: the view of the scene.
        inverse_depth: (T, H, W), q of the visible surface.
        step: 1 or -1.
    """
    frames, height, width = inverse_depth.shape
    here, there = slice(1, frames + 1), slice(1 + step, frames + 1 + step)
    own = seen.front[here]
    rays = _rays(scene, (height, width))
    project = np.linalg.inv(rays[there])
    drive = scene.drive
    shift = np.zeros((frames, seen.rank.shape[1], 3))  # of the surface, relative to the camera
    shift[:, :-1, 0] = (drive.x[here] - drive.x[there])[:, None]
    shift[:, :-1, 2] = (drive.z[here] - drive.z[there])[:, None]
    shift[:, : len(scene.panels), ::2] += step * scene.panels["speed"]
    moved = np.einsum("tij,tsj->its", project, shift).astype(np.float32)
    still = (project @ rays[here]).astype(np.float32)[..., None, None]
    place = own + np.arange(frames, dtype=np.int32)[:, None, None] * seen.rank.shape[1]
    u, v = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    x, y, z = (
        still[:, i, 0] * u
        + still[:, i, 2]
        + still[:, i, 1] * v
        + moved[i].reshape(-1)[place] * inverse_depth
        for i in range(3)
    )
    scale = 1 / np.maximum(z, np.float32(1e-3))
    x, y = x * scale, y * scale
    flow = np.empty((frames, height, width, 2), np.float32)
    np.subtract(x, u, out=flow[..., 0])
    np.subtract(y, v, out=flow[..., 1])
    return Movement(flow, _occluded(seen, own, x, y, there))


def _occluded(
    seen: Viewpoint, own: NDArray[np.int32], x: Floats, y: Floats, there: slice
) -> NDArray[np.bool_]:
    """Return whether a point is hidden or out of the frame at (x, y) of frames `there`.

    It is hidden if another surface is in front of its surface `own`. Only the surfaces of the four
    pixels around (x, y) count: a surface too thin for any pixel hides nothing.
    """
    height, width = own.shape[1:]
    hidden = (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)
    left = np.clip(x, 0, width - 2).astype(np.int32)
    top = np.clip(y, 0, height - 2).astype(np.int32)
    top += np.arange(there.start, there.stop, dtype=np.int32)[:, None, None] * height
    corner = (top * width + left).reshape(-1)
    index, own = seen.front.reshape(-1), own.reshape(-1)
    around = [index[corner + offset] for offset in (0, 1, width, width + 1)]
    unsure = (around[0] != own) | (around[1] != own) | (around[2] != own) | (around[3] != own)
    at = np.flatnonzero(unsure & ~hidden.reshape(-1))
    frame = (at // (height * width) + there.start) * seen.rank.shape[1]
    rank, u, v = seen.rank.reshape(-1), x.reshape(-1)[at], y.reshape(-1)[at]
    mine = rank[frame + own[at]]
    covered = mine < 0
    for neighbour in around:
        other = frame + neighbour[at]
        nearer = np.flatnonzero(rank[other] > mine)
        covered[nearer] |= _covers(seen, other[nearer], u[nearer], v[nearer])
    hidden.reshape(-1)[at] = covered
    return hidden


def _covers(seen: Viewpoint, place: Ints, u: Floats, v: Floats) -> NDArray[np.bool_]:
    """Return whether the panel at `place` (frame * S + panel) covers the point (u, v)."""
    m = seen.matrices.reshape(-1, 3, 3)[place]
    q = m[:, 2, 0] * u + m[:, 2, 2]
    x = (m[:, 0, 0] * u + m[:, 0, 2]) / q
    y = (m[:, 1, 0] * u + m[:, 1, 1] * v + m[:, 1, 2]) / q
    ellipse = seen.ellipse[place % len(seen.ellipse)]
    return (q > 0) & (np.where(ellipse, x * x + y * y, np.maximum(x * x, y * y)) <= 1)
