"""Validation during training: the mIoU on held-out clips at regular steps."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from torch import nn

from msaf_bench.errors import DataError
from msaf_bench.spec import Conditions
from msaf_bench.train.checkpoint import KEEP, Checkpoint, path_of, read_checkpoint, steps_in

Curve = Sequence[tuple[int, float]]  #: (steps done, mIoU in percent)
Validate = Callable[[], float]  #: returns the current mIoU of a network in percent


def is_due(done: int, conditions: Conditions) -> bool:
    """Return whether validation is due after `done` steps."""
    every = conditions.validate_every
    return every > 0 and (done % every == 0 or done == conditions.steps)


def validated(net: nn.Module, validate: Validate) -> float:
    """Return the mIoU in percent, and restore the training mode of all modules.

    The training is not affected: every step seeds its own random numbers.
    """
    modes = [(module, module.training) for module in net.modules()]
    try:
        return validate()
    finally:
        for module, training in modes:
            module.training = training


def best_step(curve: Curve, until: int) -> int:
    """Return the step up to `until` with the highest mIoU, the first of equal ones; 0 if none."""
    past = [(step, miou) for step, miou in curve if step <= until]
    return max(past, key=lambda point: point[1])[0] if past else 0


def needed_steps(folder: Path, curve: Curve, done: int) -> set[int]:
    """Return the steps whose weights must stay when step `done` is saved.

    They are the best steps up to each of the newest checkpoints, so that a damaged one loses
    nothing.
    """
    newest: Iterable[int] = [*steps_in(folder), done][-KEEP:]
    return {best_step(curve, step) for step in newest}


def best_checkpoint(folder: Path, curve: Curve, until: int) -> Checkpoint | None:
    """Read the checkpoint of the best step up to `until`.

    Returns None without validation, or if `until` is the best step. Raises `DataError` if the
    checkpoint is damaged.
    """
    step = best_step(curve, until)
    return read_checkpoint(path_of(folder, step)) if step not in (0, until) else None


def with_best(
    found: Checkpoint | None, damaged: list[str], folder: Path
) -> tuple[Checkpoint | None, list[str]]:
    """Return the checkpoint to resume from if the best weights are kept, and the faults of others.

    None if the best weights up to the checkpoint are lost. A finished training already has them.
    """
    if found is None or found.sidecar.kept_step:
        return found, damaged
    try:
        best_checkpoint(folder, found.sidecar.validation, found.sidecar.step)
    except DataError as error:
        return None, [*damaged, str(error)]
    return found, damaged
