"""Images of a procedural street on a clear day: textured surfaces in haze.

Shapes: T frames, H W image, S surfaces (panels, road, sidewalk, sky; see `geometry`).
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from msaf_bench.data.street.geometry import Viewpoint
from msaf_bench.data.street.objects import BARS, CLOUDS, FACADE, LEAVES, PAVING, PLAIN
from msaf_bench.data.street.scene import Scene

Single = NDArray[np.float32]

TILE = 32  #: elements along an edge of a texture
# start of each halved copy of a tile
_STARTS = np.array((0, 1024, 1280, 1344, 1360, 1364), np.int32)
_LENGTH = 1365  # length of a tile with its copies
# road, sidewalk, sky: texture, texel size, relief
_GROUND_TEXTURES = ((PLAIN, 0.15, 9.0), (PAVING, 0.12, 14.0), (CLOUDS, 0.015, 22.0))


@lru_cache(1)
def _textures() -> Single:
    """Return six tiles with values in about [-1, 1], each with its copies at 1/2 to 1/32."""
    rng = np.random.default_rng(0)
    v, u = np.mgrid[:TILE, :TILE]

    def soft(sigma: float) -> NDArray[np.float64]:
        tiled = cv2.GaussianBlur(np.tile(rng.standard_normal((TILE, TILE)), (3, 3)), (0, 0), sigma)[
            TILE : 2 * TILE, TILE : 2 * TILE
        ]
        return np.asarray(tiled / np.abs(tiled).max(), np.float64)

    tiles = {
        PLAIN: soft(0.6),
        LEAVES: 0.6 * soft(1.2) + 0.6 * soft(0.4),
        FACADE: (
            np.where((u % 8 >= 2) & (u % 8 < 6) & (v % 10 >= 3) & (v % 10 < 8), -0.9, 0.15)
            + 0.25 * soft(0.7)
        ),
        BARS: np.where(u % 4 < 2, 0.6, -0.6) + np.where(v % 16 < 2, 0.5, 0) + 0.2 * soft(0.5),
        PAVING: np.where((u % 8 == 0) | (v % 8 == 0), -0.7, 0.1) + 0.4 * soft(0.6),
        CLOUDS: soft(4.0),
    }
    sizes = [TILE >> level for level in range(len(_STARTS))]
    copies = [
        cv2.resize(tiles[kind], (n, n), interpolation=cv2.INTER_AREA).ravel()
        for kind in sorted(tiles)
        for n in sizes
    ]
    return np.concatenate(copies).astype(np.float32)


def paint(scene: Scene, seen: Viewpoint) -> tuple[NDArray[np.uint8], Single]:
    """Paint frames 0 to T - 1 without any disturbance.

    Returns the images (T, H, W, 3) and the inverse depth q of each pixel (T, H, W).
    """
    front, panels = seen.front[1:-1], scene.panels
    texel = np.append(panels["texel"], [size for _, size, _ in _GROUND_TEXTURES])
    x, y, q = _coordinates(scene, seen, texel)
    tone = _tone(scene, front, texel, x, y, q)
    clear = np.divide(q, q + np.float32(1 / scene.visibility), dtype=np.float32)
    _mark(scene, front, tone, clear, (x, y, q), texel)
    colour = np.concatenate([panels["colour"], scene.ground]) - scene.haze
    relief = np.concatenate(
        [panels["relief"], [np.full(3, strength) for _, _, strength in _GROUND_TEXTURES]]
    )
    image = np.empty((*front.shape, 3), np.uint8)
    for c in range(3):
        base, change = (
            colour[:, c].astype(np.float32)[front],
            relief[:, c].astype(np.float32)[front],
        )
        # 0.5, because the cast below rounds down
        channel = (base + change * tone) * clear + np.float32(scene.haze[c] + 0.5)
        image[..., c] = np.clip(channel, 0, 255, out=channel)
    for t in range(len(image)):  # a real lens also blurs slightly
        frame = image[t]
        cv2.GaussianBlur(frame, (3, 3), 0.5, dst=frame)
    return image, q


def _coordinates(
    scene: Scene, seen: Viewpoint, texel: NDArray[np.float64]
) -> tuple[Single, Single, Single]:
    """Return the visible point and the inverse depth of each pixel: three arrays (T, H, W).

    The point is in elements of its surface's texture.
    """
    front = seen.front[1:-1]
    frames, height, width = front.shape
    stretch = np.ones((len(texel), 3))
    stretch[: len(scene.panels), :2] = scene.panels["half"]
    stretch[:, :2] /= texel[:, None]
    # One contiguous table per matrix entry: lookups are several times faster than in rows of nine.
    tables = (seen.matrices[1:-1] * stretch[:, :, None]).astype(np.float32).reshape(-1, 9).T.copy()
    place = front + np.arange(frames, dtype=np.int32)[:, None, None] * len(texel)
    u, v = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    x, y, q = (
        tables[i][place] * u + tables[i + 1][place] * v + tables[i + 2][place] for i in (0, 3, 6)
    )
    scale = 1 / q
    return x * scale, y * scale, q


def _tone(
    scene: Scene,
    front: NDArray[np.int32],
    texel: NDArray[np.float64],
    x: Single,
    y: Single,
    q: Single,
) -> Single:
    """Return the texture's value at each pixel (T, H, W)."""
    texture = np.append(scene.panels["texture"], [kind for kind, _, _ in _GROUND_TEXTURES])
    # Distant surfaces use a coarser copy of their texture: the exponent of a pixel's footprint is
    # the number of halvings.
    footprint = (1 / (texel * scene.drive.focal * front.shape[2])).astype(np.float32)[front] / q
    level = np.clip((footprint.view(np.int32) >> 23) - 126, 0, len(_STARTS) - 1)
    across = (x + 4096 * TILE).astype(np.int32) % TILE >> level
    down = (y + 4096 * TILE).astype(np.int32) % TILE >> level
    start = _STARTS[level] + (texture * _LENGTH).astype(np.int32)[front]
    return _textures()[start + (down << (5 - level)) + across]


def _mark(
    scene: Scene,
    front: NDArray[np.int32],
    tone: Single,
    clear: Single,
    point: tuple[Single, Single, Single],
    texel: NDArray[np.float64],
) -> None:
    """Add lane markings and kerbs to the tone of the ground, and fade the sky at the horizon.

    The sky is close to haze just above the horizon.
    """
    road, walk, sky = range(len(scene.panels), len(scene.panels) + 3)
    tone, clear, x, y, q = (array.reshape(-1) for array in (tone, clear, *point))

    def line(at: NDArray[np.intp], offset: Single, half: float) -> Single:
        """Return the share of a pixel covered by a line with its middle `offset` metres away."""
        pixel = np.float32(scene.drive.focal * front.shape[2]) * q[at]
        cover = np.clip((half - np.abs(offset)) * pixel + np.float32(0.5), 0, 1) * np.minimum(
            2 * half * pixel, 1
        )
        return cover.astype(np.float32, copy=False)

    at = np.flatnonzero(front == road)
    across, along = x[at] * np.float32(texel[road]), y[at] * np.float32(texel[road])
    middle = line(at, across, 0.08) * (along % 7 < 4)
    border = line(at, np.abs(across) - np.float32(scene.road - 0.35), 0.06)
    tone[at] += 10 * np.maximum(middle, border)
    at = np.flatnonzero(front == walk)
    across = np.abs(x[at]) * np.float32(texel[walk])
    tone[at] += 3 * line(at, across - np.float32(scene.road + 0.1), 0.1)
    at = np.flatnonzero(front == sky)
    clear[at] *= np.minimum(np.float32(0.35) + 2 * y[at] * np.float32(texel[sky]), 1)
