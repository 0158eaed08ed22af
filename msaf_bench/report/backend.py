"""Import of matplotlib without the environment's backend, and handling of failed figures."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from msaf_bench.errors import HostError

T = TypeVar("T")


@contextmanager
def _own_backend() -> Generator[None]:
    """Hide the environment's backend during the import.

    It may belong to another program, such as a notebook, and be missing here. Files need none.
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
        f"matplotlib cannot be imported ({error}); check MPLBACKEND and every matplotlibrc, also in"
        " this folder"
    ) from error
if backend := os.environ.get("MPLBACKEND"):
    with suppress(ValueError):
        mpl.rcParams["backend"] = backend  # for figures that the calling program draws itself


class UndrawnError(HostError):
    """Raised if the figures could not be drawn; all other files are written to `paths`."""

    def __init__(self, why: str, paths: list[Path]) -> None:
        super().__init__(why)
        self.paths = paths


def drawn_or_why(draw: Callable[[], T], nothing: T) -> tuple[T, str]:
    """Return the result of `draw` and "", or `nothing` and the reason of its failure.

    A failed figure must never cost a table.
    """
    try:
        return draw(), ""
    except Exception as error:  # noqa: BLE001  (fonts, environment, matplotlib)
        said = (str(error).splitlines() or [""])[0]
        return nothing, f"the figures could not be drawn ({type(error).__name__}: {said})"
