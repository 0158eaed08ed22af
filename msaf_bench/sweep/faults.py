"""Errors in a trial by origin: the trial, the machine, or the caller."""

import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec

from msaf_bench.errors import BenchError, DataError, HostError, Stopped, host_fault, text_of
from msaf_bench.sweep.workspace import Setting

P = ParamSpec("P")


@contextmanager
def host_faults(setting: Setting) -> Generator[None]:
    """Turn errors caused by the host into `HostError`."""
    try:
        yield
    except Exception as error:
        if (fault := host_fault(error)) and not isinstance(error, HostError):
            raise HostError(
                f"{fault.filename or setting.workspace.folder}: {fault.strerror}; fix this, then"
                " use --resume"
            ) from error
        raise


def stops_all(error: Exception) -> bool:
    """Return whether an error would occur in every other trial too.

    These are errors of the host, and missing data files.
    """
    lost = (
        isinstance(error, DataError)
        and isinstance(error.__cause__, OSError)
        and bool(error.__cause__.errno)
    )
    return lost or isinstance(error, HostError) or host_fault(error) is not None


def reason_of(error: Exception) -> str:
    """Return in one line why a trial failed; errors from other code include their place."""
    if isinstance(error, BenchError):
        return text_of(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {text_of(error)} ({Path(place.filename).name}:{place.lineno})"


class CallersError(Stopped):
    """Carries an error of a callback past all handlers of a trial's errors."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__()
        self.cause = cause


def of_caller(callback: Callable[P, None]) -> Callable[P, None]:
    """Wrap a callback, so that its errors count as the caller's."""

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except BaseException as error:
            raise CallersError(error) from error

    return call
