"""Past frames of clips, and the rules for missing ones."""

from collections.abc import Callable
from typing import Generic, Literal, NamedTuple, TypeVar

from msaf_bench.errors import DataError

F = TypeVar("F")


class Histories(NamedTuple, Generic[F]):
    """Clips of labelled frames."""

    clips: tuple[tuple[F, ...], ...]  #: frames per clip, oldest first
    kept: tuple[int, ...]  #: labelled frame of each clip
    repeated: int  #: frames repeated in place of missing ones
    skipped: int  #: labelled frames without a clip


def histories(
    newest: int,
    past: Callable[[int, int], F | None],
    length: int,
    rule: Literal["repeat", "skip", "error"],
    missing: Callable[[int, int], str],
) -> Histories[F]:
    """Return the clips that end at labelled frames 0 to `newest` - 1.

    Args:
        newest: number of labelled frames.
        past: returns the frame k places before labelled frame i, or None if it does not exist; k =
            0 is the labelled frame itself.
        length: frames per clip.
        rule: how to handle a missing frame: "repeat" the oldest existing frame, "skip" the clip, or
            raise an "error".
        missing: returns the text of that error for labelled frame i and k places.

    Raises:
        DataError: under "error" for the first missing frame, under "skip" if no clip is left.
    """
    clips: list[tuple[F, ...]] = []
    kept: list[int] = []
    repeated = 0
    for i in range(newest):
        frames = _existing(i, past, length)
        gap = length - len(frames)
        if gap and rule == "error":
            raise DataError(
                f"{missing(i, len(frames))}; add that frame, or use --history repeat or skip"
            )
        if gap and rule == "skip":
            continue
        repeated += gap
        oldest = frames[-1:] * gap
        clips.append(tuple(reversed([*frames, *oldest])))
        kept.append(i)
    if newest and not kept:
        raise DataError(
            f"no clip has all {length} frames ({missing(0, 1)}); use --history repeat, or fewer"
            " frames"
        )
    return Histories(tuple(clips), tuple(kept), repeated, newest - len(kept))


def _existing(i: int, past: Callable[[int, int], F | None], length: int) -> list[F]:
    """Return the frames of a clip up to the first missing one, newest first."""
    frames: list[F] = []
    while len(frames) < length and (frame := past(i, len(frames))) is not None:
        frames.append(frame)
    return frames
