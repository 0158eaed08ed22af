"""Whose an error in a trial is: the trial's own, the machine's, or the caller's."""

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
    """Turns whatever was raised because of the host into a `HostError`."""
    try:
        yield
    except Exception as error:
        if (fault := host_fault(error)) and not isinstance(error, HostError):
            raise HostError(
                f"{fault.filename or setting.workspace.folder}: {fault.strerror}; mend that, then"
                " --resume"
            ) from error
        raise


def stops_all(error: Exception) -> bool:
    """Whether an error would meet every other trial too: one of the host, or a file of the data
    that is gone.
    """
    lost = (
        isinstance(error, DataError)
        and isinstance(error.__cause__, OSError)
        and bool(error.__cause__.errno)
    )
    return lost or isinstance(error, HostError) or host_fault(error) is not None


def reason_of(error: Exception) -> str:
    """Return why a trial failed, in one line; of an error that is not ours with its place."""
    if isinstance(error, BenchError):
        return text_of(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {text_of(error)} ({Path(place.filename).name}:{place.lineno})"


class CallersError(Stopped):
    """Carries what a callback raised past everything that catches the errors of a trial."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__()
        self.cause = cause


def of_caller(callback: Callable[P, None]) -> Callable[P, None]:
    """Return a callback whose errors are the caller's."""

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except BaseException as error:
            raise CallersError(error) from error

    return call
