"""Disturbances of single frames of a procedural street; they change only the images.

Each disturbance has its own generator and draws in frame order. No setting changes the random
numbers of another one, and a longer video begins with the shorter one. Arithmetic is in 8 bits.
"""

from collections.abc import Callable
from math import exp
from statistics import NormalDist

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Effect = Callable[[Image, Generator, float], None]

_ROWS = 64  # lengths below are in pixels of a frame of this height
_GOLDEN = 0.618  # turn between two frames: the golden ratio delays a return to the same place
_DIRT = ((45, 38, 32), (92, 74, 48), (110, 100, 40), (22, 22, 24), (165, 160, 150))


def _blur(images: Image, rng: Generator, strength: float) -> None:
    """Apply defocus and shake: a Gaussian, wider across than down, new in every frame."""
    for image in images:
        across = 2 * strength * rng.random() * len(image) / _ROWS
        down = across * rng.uniform(0.2, 1)
        if across > 0.2:
            cv2.GaussianBlur(image, (0, 0), across, dst=image, sigmaY=max(down, 0.2))


def _occlude(images: Image, rng: Generator, strength: float) -> None:
    """Draw dirt, leaves and wiper blades for one frame each, at a new place in every frame."""
    height, width = images.shape[1:3]
    phase = rng.random()
    for t, image in enumerate(images):
        for blob in range(rng.poisson(2 * strength)):
            middle = np.array(((phase + t * _GOLDEN + blob / 3) % 1 * width, rng.random() * height))
            wiper = rng.random() < 0.15
            colour = np.array(_DIRT[0 if wiper else rng.integers(len(_DIRT))]) * rng.uniform(
                0.7, 1.3
            )
            for _ in range(1 if wiper else 4):
                x, y = middle + rng.normal(0, 0.05, 2) * height
                long, short = (
                    (1.2 * height, 0.035 * height) if wiper else rng.uniform(0.06, 0.2, 2) * height
                )
                turn = rng.uniform(50, 130) if wiper else rng.uniform(0, 180)
                tint = tuple(np.clip(colour + rng.normal(0, 6), 0, 255).tolist())
                cv2.ellipse(
                    image,
                    (int(x), int(y)),
                    (max(1, int(long)), max(1, int(short))),
                    turn,
                    0,
                    360,
                    tint,
                    -1,
                    cv2.LINE_AA,
                )


def _rain(images: Image, rng: Generator, strength: float) -> None:
    """Draw bright streaks, all at the slant of the video's wind."""
    height, width = int(images.shape[1]), int(images.shape[2])
    slant = rng.uniform(-0.4, 0.4)
    for image in images:
        streaks = np.zeros_like(image)
        for _ in range(rng.poisson(40 * strength * width / height)):
            x, y, length, light = rng.random(4)
            long = (3 + 9 * length) * height / _ROWS
            start = (int(x * width), int(y * height))
            end = (int(x * width + slant * long), int(y * height + long))
            cv2.line(
                streaks, start, end, (int(30 + 70 * light),) * 3, max(1, height // 128), cv2.LINE_AA
            )
        cv2.add(image, streaks, dst=image)


def _flicker(images: Image, rng: Generator, strength: float) -> None:
    """Change the exposure in every frame.

    The standard deviation is 40 % of gain and 15 grey levels of offset.
    """
    for image in images:
        gain, offset = (
            exp(0.4 * strength * rng.standard_normal()),
            15 * strength * rng.standard_normal(),
        )
        cv2.LUT(
            image,
            np.clip(np.rint(np.arange(256) * gain + offset), 0, 255).astype(np.uint8),
            dst=image,
        )


def _noise(images: Image, rng: Generator, strength: float) -> None:
    """Add sensor noise.

    It is Gaussian, with a standard deviation of 25 grey levels, independent in every pixel and
    colour.
    """
    normal = NormalDist(0, 25 * strength)
    quantiles = np.array([round(normal.inv_cdf((i + 0.5) / 256)) for i in range(256)], np.int16)
    for image in images:
        drawn = cv2.LUT(rng.integers(0, 256, image.shape, np.uint8), quantiles)
        cv2.add(image, drawn, dst=image, dtype=cv2.CV_8U)


#: Name -> (effect, default strength), in the order in which they act from the street to the file.
EFFECTS: dict[str, tuple[Effect, float]] = {
    "blur": (_blur, 0.2),
    "occluders": (_occlude, 0.3),
    "rain": (_rain, 0.1),
    "flicker": (_flicker, 0.3),
    "noise": (_noise, 0.3),
}


def disturb(images: Image, seed: int, strengths: dict[str, float]) -> None:
    """Disturb clean frames (T, H, W, 3) in place; an effect of strength 0 changes nothing."""
    for number, (name, (effect, _)) in enumerate(EFFECTS.items()):
        if strengths[name] > 0:
            effect(images, np.random.default_rng([seed, 2, number]), strengths[name])
