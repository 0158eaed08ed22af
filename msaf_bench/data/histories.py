"""The past frames of clips, and what happens where one does not exist."""

from collections.abc import Callable
from typing import Generic, Literal, NamedTuple, TypeVar

from msaf_bench.errors import DataError

F = TypeVar("F")


class Histories(NamedTuple, Generic[F]):
    """The clips of labelled frames that are left: their frames, oldest first, and the numbers of
    the labelled frames.
    """

    clips: tuple[tuple[F, ...], ...]
    kept: tuple[int, ...]
    repeated: int  #: frames that stand in for one that does not exist
    skipped: int  #: labelled frames without a clip


def histories(
    newest: int,
    past: Callable[[int, int], F | None],
    length: int,
    rule: Literal["repeat", "skip", "error"],
    missing: Callable[[int, int], str],
) -> Histories[F]:
    """Clips of `length` frames that end at labelled frames 0 to `newest` - 1.

    `past(i, k)` is the frame k places before labelled frame i, or None where there is none; k = 0
    is the frame itself. Under `repeat` the oldest frame found stands in for all before it, under
    `skip` the clip is left out, under `error` the first gap is a `DataError` that says `missing(i,
    k)`. It is one too when every clip would be left out.
    """
    clips: list[tuple[F, ...]] = []
    kept: list[int] = []
    repeated = 0
    for i in range(newest):
        found: list[F] = []
        while len(found) < length and (frame := past(i, len(found))) is not None:
            found.append(frame)
        gap = length - len(found)
        if gap and rule == "error":
            raise DataError(
                f"{missing(i, len(found))}; add that frame, or use --history repeat or skip"
            )
        if gap and rule == "skip":
            continue
        repeated += gap
        clips.append(tuple(reversed(found + found[-1:] * gap)))
        kept.append(i)
    if newest and not kept:
        raise DataError(
            f"no clip of {length} frames is whole ({missing(0, 1)}); use --history repeat, or fewer"
            " frames"
        )
    return Histories(tuple(clips), tuple(kept), repeated, newest - len(kept))
