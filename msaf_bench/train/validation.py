"""Validation while training: the mIoU of clips that training leaves out, every so many steps."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from torch import nn

from msaf_bench.errors import DataError
from msaf_bench.spec import Conditions
from msaf_bench.train.checkpoint import KEEP, Checkpoint, path_of, read_checkpoint, steps_in

Curve = Sequence[tuple[int, float]]  #: (steps done, mIoU in percent)
Validate = Callable[[], float]  #: the mIoU in percent of a network as it is


def is_due(done: int, conditions: Conditions) -> bool:
    """Return whether a training is validated after so many steps."""
    every = conditions.validate_every
    return every > 0 and (done % every == 0 or done == conditions.steps)


def validated(net: nn.Module, validate: Validate) -> float:
    """Return the mIoU in percent; all modules are in the mode afterwards that they were in before.

    Training goes on as if nothing had been: every step seeds its own random numbers.
    """
    modes = [(module, module.training) for module in net.modules()]
    try:
        return validate()
    finally:
        for module, training in modes:
            module.training = training


def best_step(curve: Curve, until: int) -> int:
    """Return the step up to `until` with the highest mIoU, of equal ones the first; 0 for none."""
    past = [(step, miou) for step, miou in curve if step <= until]
    return max(past, key=lambda point: point[1])[0] if past else 0


def needed_steps(folder: Path, curve: Curve, done: int) -> set[int]:
    """Return the steps whose weights must stay when those of step `done` are written: the best up
    to each of the newest checkpoints, so that a damaged one loses nothing.
    """
    newest: Iterable[int] = [*steps_in(folder), done][-KEEP:]
    return {best_step(curve, step) for step in newest}


def best_checkpoint(folder: Path, curve: Curve, until: int) -> Checkpoint | None:
    """Read the checkpoint of the best step up to `until`; None where there was no validation, or
    `until` is that step. Raises `DataError` for a damaged one.
    """
    step = best_step(curve, until)
    return read_checkpoint(path_of(folder, step)) if step not in (0, until) else None


def with_best(
    found: Checkpoint | None, damaged: list[str], folder: Path
) -> tuple[Checkpoint | None, list[str]]:
    """Return the checkpoint that a training which keeps its best weights resumes from, and what was
    wrong with others; None where the best weights up to it are gone. A finished training has them.
    """
    if found is None or found.sidecar.kept_step:
        return found, damaged
    try:
        best_checkpoint(folder, found.sidecar.validation, found.sidecar.step)
    except DataError as error:
        return None, [*damaged, str(error)]
    return found, damaged
