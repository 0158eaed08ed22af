"""Scene of a procedural street: the place of every object, and the drive of the camera.

Units: metres and frames (1/15 s). World: x right, y up, z along the street. The camera looks along
z, turned by its yaw.
"""

from collections.abc import Iterator
from functools import partial
from math import ceil, pi
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from msaf_bench.data.street.objects import (
    BARS,
    BEHIND,
    BUILDING,
    FACADE,
    FENCE,
    LEAVES,
    PANEL,
    ROAD,
    SIDEWALK,
    SKY,
    SKYLINE,
    STREET,
    TREE,
    WALL,
    Colour,
    Row,
    between,
    car,
    panel,
    person,
    pole,
    rider,
    tree,
    typical_colour,
)

FAR = 125.0  #: beyond this distance only the skyline is visible
#: length of street drawn from one generator, so that a longer video begins with the shorter one
BLOCK = 40.0
FASTEST = 1.0  #: speed limit of oncoming objects


class Drive(NamedTuple):
    """Camera at frames -1, 0, ..., T: each array is (T + 2,)."""

    x: NDArray[np.float64]
    z: NDArray[np.float64]
    yaw: NDArray[np.float64]  #: radians
    #: row of the horizon divided by the frame's height; it moves as the car pitches
    horizon: NDArray[np.float64]
    height: float
    focal: float  #: focal length divided by the frame's width


class Scene(NamedTuple):
    """Panels (K,) of dtype `PANEL`, the drive, and the look of the ground and the air."""

    panels: NDArray[np.void]
    drive: Drive
    road: float  #: half the width of the road; its middle is x = 0
    ground: Colour  #: (3, 3): colours of road, sidewalk, sky
    haze: Colour
    visibility: float  #: distance at which haze makes up half of a colour


def _lot(rng: Generator, edge: float, z: float, length: float, light: float) -> Iterator[Row]:
    """Draw one property along the sidewalk, with its border at x = `edge`.

    It is a house, a fence with trees behind it, or a hedge.
    """
    kind = rng.random()
    if kind < 0.6:
        yield from _house(rng, edge, z, length, light)
    else:
        yield from _garden(rng, edge, z, length, light, fenced=kind < 0.85)


def _house(rng: Generator, edge: float, z: float, length: float, light: float) -> Iterator[Row]:
    height, depth = between(rng, 4, 13), between(rng, 6, 14)
    colour = typical_colour(rng, BUILDING)
    texel, relief = between(rng, 0.2, 0.32), between(rng, 0.25, 0.6)
    wall = partial(panel, BUILDING, texture=FACADE, texel=texel, relief=relief)
    at, half = (edge + np.sign(edge) * depth / 2, height / 2, z), (depth / 2, height / 2)
    yield wall(BEHIND, at, half, colour * (1.5 - light / 2))
    at, half = (edge, height / 2, z + length / 2), (length / 2, height / 2)
    yield wall(WALL, at, half, colour * light, side=True)


def _garden(
    rng: Generator, edge: float, z: float, length: float, light: float, *, fenced: bool
) -> Iterator[Row]:
    for at in np.arange(z + 1.5, z + length, between(rng, 3, 6)):
        yield from tree(rng, edge + np.sign(edge) * between(rng, 2.5, 6), at, BEHIND, 2.3)
    height = between(rng, 1.0, 2.2) * (1.0 if fenced else 1.4)
    label, texture = (FENCE, BARS) if fenced else (TREE, LEAVES)
    colour = typical_colour(rng, label) * light
    middle, half = (edge, height / 2, z + length / 2), (length / 2, height / 2)
    yield panel(label, WALL, middle, half, colour, side=True, texture=texture, relief=0.35)


def _block(
    rng: Generator, start: float, road: float, walk: float, light: tuple[float, float]
) -> Iterator[Row]:
    """Draw 40 m of street, both sides."""
    eye = -road / 2
    for out, shine in zip((-1, 1), light, strict=True):
        z = start
        while z < start + BLOCK:
            length = min(between(rng, 8, 20), start + BLOCK - z)
            yield from _lot(rng, out * (road + walk), z, length, shine)
            z += length
        for at in np.arange(start + between(rng, 0, 8), start + BLOCK, between(rng, 10, 18)):
            yield from pole(rng, out * (road + between(rng, 0.3, 0.6)), at)
        for _ in range(int(rng.random() * 3)):
            z = start + rng.random() * BLOCK
            yield from tree(rng, out * (road + 0.8), z, STREET, walk - 0.7)
        for _ in range(int(rng.random() * 4)):
            x, speed = out * (road + between(rng, 0.5, walk - 0.5)), (0.0, between(rng, -0.1, 0.1))
            yield from person(rng, x, start + rng.random() * BLOCK, speed)
        for _ in range(int(rng.random() * 2.4)):
            z, towards = start + rng.random() * BLOCK, rng.random() < 0.5
            yield from car(rng, out * (road - 0.1), z, eye, 0, towards=towards)
        for _ in range(int(rng.random() * 2)):
            z, speed = start + rng.random() * BLOCK, (0, -out * between(rng, 0.2, 0.45))
            yield from rider(rng, out * (road - 1.6), z, speed)
    for _ in range(int(rng.random() * 2)):
        z, pace = start + rng.random() * BLOCK, -between(rng, 0.4, 0.9)
        yield from car(rng, road / 2, z, eye, pace, towards=True)


def _actors(rng: Generator, road: float, pace: float) -> Iterator[Row]:
    """Draw the objects that are near from the first frame on.

    These are a car ahead at about the camera's speed, and people and riders who cross the street.
    """
    eye = -road / 2
    if rng.random() < 0.45:
        x, z = eye + between(rng, -0.4, 0.6), between(rng, 9, 30)
        yield from car(rng, x, z, eye, pace * between(rng, 0.95, 1.1), towards=False)
    for figure, most, faster in ((person, 3, 1), (rider, 2, 2)):
        for _ in range(int(rng.random() * most)):
            across = between(rng, 0.05, 0.14) * faster * (1 if rng.random() < 0.5 else -1)
            x, z = between(rng, -road, road), between(rng, 8, 24) + 6 * pace
            yield from figure(rng, x, z, (across, 0))


def _skyline(rng: Generator, pace: float) -> Iterator[Row]:
    """Draw far houses and trees. They keep their distance, as distant objects seem to."""
    far = partial(panel, speed=(0, pace), texture=LEAVES, texel=0.5, relief=0.1)
    for x in np.arange(-110, 110, 11.0):
        house = rng.random() < 0.4
        if house:
            label, half = BUILDING, (between(rng, 6, 12), between(rng, 2, 8))
        else:
            label, half = TREE, (between(rng, 9, 18), between(rng, 3, 7))
        at = (x, half[1] if house else 0.0, FAR + 10 + 10 * rng.random())
        colour = typical_colour(rng, label)
        yield far(label, SKYLINE, at, half, colour, ellipse=not house)


def populate(seed: int, frames: int, speed: float) -> Scene:
    """Draw the street of `seed` for frames -1 to `frames`.

    More frames only add street at the far end.
    """
    rng = np.random.default_rng([seed, 0])
    road, walk = between(rng, 3.6, 5.0), between(rng, 2.2, 3.8)
    pace = speed * between(rng, 0.35, 0.85)
    t = np.arange(-1.0, frames + 1)

    def swing(most: float) -> NDArray[np.float64]:
        size = between(rng, 0.2, 1) * most
        return size * np.sin(between(rng, 0.08, 0.3) * t + between(rng, 0, 2 * pi))

    horizon = between(rng, 0.36, 0.48)
    drive = Drive(
        -road / 2 + swing(0.4),
        pace * t,
        swing(0.07),
        horizon + swing(0.012),
        between(rng, 1.3, 1.9),
        between(rng, 0.7, 0.95),
    )
    light = (between(rng, 0.6, 1.15), between(rng, 0.6, 1.15))
    spreads = ((ROAD, 8), (SIDEWALK, 10), (SKY, 10))
    ground = np.stack([typical_colour(rng, label, spread) for label, spread in spreads])
    haze, visibility = 0.5 * ground[2] + 95, between(rng, 60, 250)
    rows = [*_skyline(rng, pace), *_actors(rng, road, pace)]
    for block in range(ceil((FAR + (pace + FASTEST) * (frames + 1)) / BLOCK) + 1):
        rows += _block(np.random.default_rng([seed, 1, block]), block * BLOCK, road, walk, light)
    return Scene(np.array(rows, PANEL), drive, road, ground, haze, visibility)
