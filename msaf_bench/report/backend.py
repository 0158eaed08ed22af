"""Import matplotlib without the backend that the environment names, before everything else that
draws; and what if drawing fails.
"""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from msaf_bench.errors import HostError

T = TypeVar("T")


@contextmanager
def _own_backend() -> Generator[None]:
    """Hide the environment's backend: one of another program, such as a notebook's, need not exist
    here. Files need none.
    """
    given = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "agg"
    try:
        yield
    finally:
        del os.environ["MPLBACKEND"]
        if given is not None:
            os.environ["MPLBACKEND"] = given


try:
    with _own_backend():
        import matplotlib as mpl
except Exception as error:
    raise HostError(
        f"matplotlib cannot be imported ({error}); see to MPLBACKEND and to any matplotlibrc, also"
        " here"
    ) from error
if backend := os.environ.get("MPLBACKEND"):
    with suppress(ValueError):
        mpl.rcParams["backend"] = backend  # for the program's own figures, if it has any


class UndrawnError(HostError):
    """The figures could not be drawn; everything else is written, to `paths`."""

    def __init__(self, why: str, paths: list[Path]) -> None:
        super().__init__(why)
        self.paths = paths


def drawn_or_why(draw: Callable[[], T], nothing: T) -> tuple[T, str]:
    """What `draw` gives, or `nothing` and why: a table must not be lost for the sake of a
    figure.
    """
    try:
        return draw(), ""
    except Exception as error:  # noqa: BLE001  (of fonts, of the environment, of matplotlib)
        said = (str(error).splitlines() or [""])[0]
        return nothing, f"the figures could not be drawn ({type(error).__name__}: {said})"
