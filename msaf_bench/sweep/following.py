"""Sweeps in several processes started by torchrun: process 0 leads, the others follow."""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace

from msaf_bench.records import Record
from msaf_bench.spec import Trial
from msaf_bench.sweep.trial import run_trial
from msaf_bench.sweep.workspace import Setting
from msaf_bench.train.parallel import LostError, current, joined

Order = tuple[Trial, Setting] | int  #: a trial to train, or an exit code to end with
_BUSY = list[Trial]()  #: the trial that all processes are training


def lead(
    trial: Trial,
    setting: Setting,
    on_step: Callable[[int, float], None],
    on_note: Callable[[str], None],
    on_validation: Callable[[int, float], None],
) -> Record:
    """Run a trial, together with all processes that follow this one.

    Args:
        trial: Trial to run.
        setting: Folder, device and threads of the trial.
        on_step: Called with (steps done, mean loss).
        on_note: Called with notes for the user.
        on_validation: Called with (steps done, mIoU in percent).
    """
    order: Order = trial, setting
    current().said(lambda: order)
    _BUSY.append(trial)
    record = run_trial(trial, setting, on_step, on_note, on_validation)
    _BUSY.clear()
    assert record is not None
    return record


@contextmanager
def leading(device: str) -> Generator[str]:
    """Lead all other processes until the block ends; yield the device of this process."""
    with joined(device) as own:
        try:
            yield own
        except BaseException as error:
            # During a trial the others would mistake the message for a gradient.
            if not _BUSY:
                code = getattr(error, "exit_code", 1)
                with suppress(LostError):
                    current().said(lambda: code)
            raise
        current().said(lambda: 0)


def follow(device: str) -> int:
    """Train the trials of process 0 until it ends; return its exit code.

    Errors of this process alone are raised.
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
        return error.exit_code  # process 0 reports the error


def _unsaid() -> Order:
    raise AssertionError("only process 0 gives orders")
