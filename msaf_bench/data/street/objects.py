"""Objects of a procedural street: cars, people, riders, trees, poles.

They consist of upright rectangles and ellipses. Units: metres and frames (1/15 s). World: x right,
y up, z along the street.
"""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from msaf_bench.data.labels.classes import CAMVID_CLASSES

SKY, BUILDING, POLE, ROAD, SIDEWALK, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(
    len(CAMVID_CLASSES)
)

PLAIN, LEAVES, FACADE, BARS, PAVING, CLOUDS = range(6)  # textures
# layers, far to near: on every ray, a later layer is in front of an earlier one
SKYLINE, BEHIND, WALL, STREET = range(4)

PANEL = np.dtype([
    ("side", "?"),  #: faces the street (normal along x); otherwise the camera (normal along z)
    ("ellipse", "?"),
    ("label", "u1"),
    ("layer", "i1"),
    ("texture", "i1"),
    ("at", "f8", 3),  #: centre at frame 0
    ("half", "f8", 2),  #: half length, half height
    ("speed", "f8", 2),  #: along x and z
    ("texel", "f8"),  #: size of one element of the texture
    ("colour", "f8", 3),
    ("relief", "f8", 3),  #: amplitude of the texture, added to the colour
])  # fmt: skip
Row = tuple[object, ...]  #: row of dtype `PANEL`
Colour = NDArray[np.float64]

# Parts of figures: ellipse, offset to the right, bottom, top, width, index of the figure's colour.
_PERSON = ((0, 0, 0, 0.85, 0.36, 1), (0, 0, 0.75, 1.5, 0.52, 0), (1, 0, 1.45, 1.75, 0.26, 2))
_RIDER_ALONG = (
    (1, 0, 0, 0.7, 0.16, 3),
    (0, 0, 0.55, 0.95, 0.4, 1),
    (0, 0, 0.9, 1.5, 0.55, 0),
    (0, 0, 1.0, 1.07, 0.75, 3),
    (1, 0, 1.48, 1.8, 0.3, 2),
)
_RIDER_ACROSS = (
    (1, -0.5, 0, 0.7, 0.7, 3),
    (1, 0.5, 0, 0.7, 0.7, 3),
    (1, -0.5, 0.12, 0.58, 0.46, 4),
    (1, 0.5, 0.12, 0.58, 0.46, 4),
    (0, 0, 0.45, 0.55, 1.0, 3),
    (0, -0.1, 0.5, 1.0, 0.3, 1),
    (0, 0, 0.9, 1.45, 0.5, 0),
    (1, 0.1, 1.42, 1.74, 0.3, 2),
)
_CAR_CABIN = ((0, 0, 0.3, 1.5, 1.45, 0), (0, 0, 1.0, 1.4, 1.25, 2))
_CAR_END = (
    (0, -0.65, 0, 0.4, 0.25, 1),
    (0, 0.65, 0, 0.4, 0.25, 1),
    (0, 0, 0.28, 0.95, 1.8, 0),
    (1, -0.7, 0.6, 0.85, 0.3, 3),
    (1, 0.7, 0.6, 0.85, 0.3, 3),
    (0, 0, 0.4, 0.55, 0.5, 4),
)
_CAR_FLANK = ((0, 0, 0.28, 0.95, 4.2, 0), (1, -1.3, 0, 0.66, 0.66, 1), (1, 1.3, 0, 0.66, 0.66, 1))
_CAR_WINDOWS = ((0, 0, 0.3, 1.5, 2.6, 0), (0, 0, 1.0, 1.4, 2.3, 2))

_COLOURS: dict[int, tuple[tuple[int, int, int], ...]] = {
    SKY: ((120, 165, 220), (190, 205, 222), (225, 228, 230), (205, 190, 180), (150, 160, 175)),
    BUILDING: (
        (150, 85, 65), (190, 165, 130), (140, 140, 140), (215, 210, 195), (120, 95, 80),
        (165, 150, 160),
    ),
    POLE: ((95, 95, 95), (60, 65, 65), (140, 140, 135)),
    ROAD: ((95, 95, 98), (120, 118, 115), (75, 76, 80)),
    SIDEWALK: ((150, 145, 140), (125, 122, 120), (165, 150, 135)),
    TREE: ((70, 105, 50), (50, 80, 45), (115, 120, 60), (110, 95, 75)),
    SIGN: ((190, 40, 40), (40, 70, 170), (225, 200, 50), (225, 225, 225), (40, 120, 70)),
    FENCE: ((85, 80, 75), (60, 80, 65), (125, 100, 75), (170, 170, 165)),
    CAR: (
        (170, 30, 30), (40, 60, 140), (200, 200, 205), (35, 35, 40), (120, 125, 130), (40, 110, 80),
        (210, 180, 60),
    ),
    PEDESTRIAN: (
        (150, 50, 50), (50, 60, 110), (60, 60, 60), (190, 180, 160), (90, 110, 70), (120, 70, 120),
    ),
    BICYCLIST: ((200, 210, 60), (210, 90, 40), (60, 100, 170), (80, 80, 80), (180, 40, 70)),
}  # fmt: skip
_DARK, _GLASS, _WHITE, _RED = (
    np.array(c, float) for c in ((32, 32, 34), (60, 72, 85), (225, 225, 215), (190, 40, 35))
)


def between(rng: Generator, low: float, high: float) -> float:
    """Draw a number from the uniform distribution."""
    return low + (high - low) * rng.random()


def typical_colour(rng: Generator, label: int, spread: float = 14.0) -> Colour:
    """Draw a colour typical of the class, with random lightness and a small error in hue."""
    colours = _COLOURS[label]
    colour = np.array(colours[int(rng.random() * len(colours))]) * between(rng, 0.65, 1.25)
    return colour + (rng.random(3) - 0.5) * 2 * spread


def panel(
    label: int,
    layer: int,
    at: tuple[float, float, float],
    half: tuple[float, float],
    colour: Colour,
    *,
    side: bool = False,
    ellipse: bool = False,
    speed: tuple[float, float] = (0.0, 0.0),
    texture: int = PLAIN,
    texel: float = 0.1,
    relief: float = 0.08,
) -> Row:
    """Return a row of dtype `PANEL`.

    Args:
        label: the class id.
        layer: `SKYLINE` to `STREET`.
        at: centre at frame 0 (x, y, z) in metres.
        half: half length and half height in metres.
        colour: RGB, 0 to 255.
        side: the panel faces the street, otherwise the camera.
        ellipse: an ellipse, otherwise a rectangle.
        speed: along x and z, in metres per frame.
        texture: `PLAIN` to `CLOUDS`.
        texel: size of one element of the texture in metres.
        relief: amplitude of the texture as a share of the colour.
    """
    strength = relief * (colour + 30)
    return (side, ellipse, label, layer, texture, at, half, speed, texel, colour, strength)


def _figure(
    parts: tuple[tuple[float, ...], ...],
    label: int,
    x: float,
    z: float,
    colours: tuple[Colour, ...],
    *,
    scale: float = 1.0,
    side: bool = False,
    speed: tuple[float, float] = (0.0, 0.0),
) -> Iterator[Row]:
    for ellipse, offset, bottom, top, width, colour in parts:
        along = offset * scale
        at = (x + (0 if side else along), (bottom + top) / 2 * scale, z + (along if side else 0))
        half = (width / 2 * scale, (top - bottom) / 2 * scale)
        place = (label, STREET, at, half, colours[int(colour)])
        yield panel(*place, side=side, ellipse=bool(ellipse), speed=speed)


def car(
    rng: Generator, x: float, z: float, eye: float, speed: float, *, towards: bool
) -> Iterator[Row]:
    """Draw a car: its end, and the side seen by a camera at x = `eye`.

    Args:
        rng: the generator.
        x: position in metres.
        z: position in metres.
        eye: x of the camera in metres.
        speed: along z, in metres per frame.
        towards: the car faces the camera.
    """
    paint, scale = typical_colour(rng, CAR, 25), between(rng, 0.9, 1.2)
    colours = (paint, _DARK, _GLASS, _WHITE if towards else _RED, _WHITE)
    out = scale * (1 if x < eye else -1)
    shaded = (paint * 0.8, _DARK, _GLASS * 0.9)
    for parts, reach in ((_CAR_WINDOWS, 0.725), (_CAR_FLANK, 0.9)):
        beside, middle = x + reach * out, z + 2.1 * scale
        yield from _figure(
            parts, CAR, beside, middle, shaded, scale=scale, side=True, speed=(0, speed)
        )
    yield from _figure(_CAR_CABIN, CAR, x, z + 0.8 * scale, colours, scale=scale, speed=(0, speed))
    yield from _figure(_CAR_END, CAR, x, z, colours, scale=scale, speed=(0, speed))


def person(rng: Generator, x: float, z: float, speed: tuple[float, float]) -> Iterator[Row]:
    """Draw a person on foot.

    Args:
        rng: the generator.
        x: position in metres.
        z: position in metres.
        speed: along x and z, in metres per frame.
    """
    skin = np.array((200, 160, 135)) * between(rng, 0.4, 1.1)
    colours = (typical_colour(rng, PEDESTRIAN, 25), typical_colour(rng, PEDESTRIAN) * 0.5, skin)
    yield from _figure(
        _PERSON, PEDESTRIAN, x, z, colours, scale=between(rng, 0.85, 1.15), speed=speed
    )


def rider(rng: Generator, x: float, z: float, speed: tuple[float, float]) -> Iterator[Row]:
    """Draw a person on a bicycle, seen from the side if they cross the street.

    Args:
        rng: the generator.
        x: position in metres.
        z: position in metres.
        speed: along x and z, in metres per frame.
    """
    jacket = typical_colour(rng, BICYCLIST, 25)
    trousers = typical_colour(rng, PEDESTRIAN) * 0.5
    helmet = typical_colour(rng, SIGN) * 0.8
    colours = (jacket, trousers, helmet, _DARK, np.full(3, 110.0))
    parts = _RIDER_ACROSS if speed[0] else _RIDER_ALONG
    yield from _figure(parts, BICYCLIST, x, z, colours, scale=between(rng, 1.0, 1.2), speed=speed)


def tree(rng: Generator, x: float, z: float, layer: int, reach: float) -> Iterator[Row]:
    """Draw a trunk and four clusters of leaves.

    Args:
        rng: the generator.
        x: position in metres.
        z: position in metres.
        layer: `SKYLINE` to `STREET`.
        reach: largest extent to each side in metres.
    """
    leaf, trunk = typical_colour(rng, TREE), np.array((75, 62, 50)) * between(rng, 0.7, 1.3)
    top = between(rng, 1.9, 2.8)
    yield panel(TREE, layer, (x, top / 2, z), (0.2, top / 2 + 0.2), trunk, relief=0.2)
    radius = min(reach, between(rng, 1.0, 2.4)) / 1.5
    for dx, dy in ((-0.5, 0.7), (0.5, 0.8), (0.1, 1.7), (0.0, 1.0)):
        half = (radius * between(rng, 0.75, 1.0), radius * between(rng, 0.75, 1.2))
        at, colour = (x + dx * radius, top + dy * radius, z), leaf * between(rng, 0.8, 1.2)
        yield panel(
            TREE, layer, at, half, colour, ellipse=True, texture=LEAVES, texel=0.12, relief=0.3
        )


def pole(rng: Generator, x: float, z: float) -> Iterator[Row]:
    """Draw a lamp post with its arm over the road, or a shorter post with a sign."""
    grey, width = typical_colour(rng, POLE), between(rng, 0.08, 0.15)
    if rng.random() < 0.5:
        top = between(rng, 5, 7.5)
        yield panel(POLE, STREET, (x, top / 2, z), (width, top / 2), grey)
        yield panel(POLE, STREET, (x - np.sign(x) * 0.7, top, z), (0.8, 0.12), grey)
        return
    top, half = between(rng, 2.2, 3.0), between(rng, 0.35, 0.6)
    yield panel(POLE, STREET, (x, top / 2, z), (width, top / 2), grey)
    plate = typical_colour(rng, SIGN)
    wide = half * between(rng, 1.0, 1.8)
    at, ellipse = (x, top + half * 0.8, z), rng.random() < 0.4
    yield panel(SIGN, STREET, at, (wide, half), plate, ellipse=ellipse, relief=0.05)
    text = (wide * 0.6, half * 0.35)
    yield panel(SIGN, STREET, at, text, 255 - plate * 0.8, relief=0.05)
