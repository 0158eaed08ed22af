"""A sweep in several processes that torchrun started: process 0 drives it, the others follow."""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace

from msaf_bench.records import Record
from msaf_bench.spec import Trial
from msaf_bench.sweep.trial import run_trial
from msaf_bench.sweep.workspace import Setting
from msaf_bench.train.parallel import LostError, current, joined

Order = tuple[Trial, Setting] | int  #: a trial to train, or the exit code to end with
_BUSY = list[Trial]()  #: what all processes train right now


def lead(
    trial: Trial,
    setting: Setting,
    on_step: Callable[[int, float], None],
    on_note: Callable[[str], None],
    on_validation: Callable[[int, float], None],
) -> Record:
    """Run a trial, with all processes that follow this one if there are any."""
    order: Order = trial, setting
    current().said(lambda: order)
    _BUSY.append(trial)
    record = run_trial(trial, setting, on_step, on_note, on_validation)
    _BUSY.clear()
    assert record is not None
    return record


@contextmanager
def leading(device: str) -> Generator[str]:
    """Yield the device of this process, which all others follow until the block ends."""
    with joined(device) as own:
        try:
            yield own
        except BaseException as error:
            # In the midst of a trial they would take the word for a gradient.
            if not _BUSY:
                code = getattr(error, "exit_code", 1)
                with suppress(LostError):
                    current().said(lambda: code)
            raise
        current().said(lambda: 0)


def follow(device: str) -> int:
    """Train what process 0 trains until it ends; return its exit code.

    Raises what goes wrong here alone.
    """
    try:
        with joined(device) as own:
            while True:
                order: Order = current().said(_unsaid)
                if isinstance(order, int):
                    return order
                trial, setting = order
                run_trial(trial, replace(setting, device=own))
    except LostError as error:
        return error.exit_code  # process 0 says it


def _unsaid() -> Order:
    raise AssertionError("only process 0 gives orders")
