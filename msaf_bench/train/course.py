"""A training in progress: steps, curves, checkpoints."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from msaf_bench.liveness import Supply
from msaf_bench.spec import Trial
from msaf_bench.train.average import Average
from msaf_bench.train.batches import TrainingBatch
from msaf_bench.train.checkpoint import (
    Checkpoint,
    Sidecar,
    keep_only,
    newest_checkpoint,
    read_checkpoint,
    restore,
    restore_scaler,
    save_checkpoint,
    scaler_tensors,
    steps_in,
    training_id,
)
from msaf_bench.train.divergence import check_finite, mean_loss
from msaf_bench.train.schedule import learning_rate, step_seed
from msaf_bench.train.step import Learner
from msaf_bench.train.validation import (
    Validate,
    best_checkpoint,
    best_step,
    is_due,
    needed_steps,
    validated,
    with_best,
)
from msaf_bench.vitals import Monitor

LOG_EVERY = 10  #: steps between two entries of the loss curve
#: seconds of wall time between checkpoints, independent of `checkpoint_every`; not a condition,
#: because it changes no number
CLOCK_S = 60.0
CLOCK_SHARE = 0.05  #: maximum share of wall time for such checkpoints

Loss = list[tuple[int, float]]
LATE = 0.9  #: share of the training after which the gradient of each part is measured


@dataclass
class Course:
    """A training in progress."""

    trial: Trial
    num_classes: int
    folder: Path
    learner: Learner
    optimizer: torch.optim.Optimizer
    monitor: Monitor
    average: Average | None
    validate: Validate | None
    curve: Loss = field(default_factory=Loss)
    points: Loss = field(default_factory=Loss)
    kept_step: int = 0
    recent: list[Tensor] = field(default_factory=list[Tensor])
    kept: float = field(default_factory=time.monotonic)  #: time of the last checkpoint
    took: float = 0.0  #: seconds to write the last checkpoint

    def __post_init__(self) -> None:
        self.net, self.group = self.learner.net, self.learner.group
        self.conditions = self.trial.conditions
        self.best = self.conditions.keep == "best"

    def resume(self, on_note: Callable[[str], None]) -> int:
        """Restore the newest intact checkpoint and return its number of steps.

        All processes restore the same one.
        """
        found, damaged = None, list[str]()
        if self.group.leads:
            found, damaged = newest_checkpoint(self.folder, training_id(self.trial))
            if self.best:
                found, damaged = with_best(found, damaged, self.folder)
        path = self.group.said(lambda: found.path if found else None)
        if path and not found:
            found = read_checkpoint(path)
        start = 0
        if found:
            restore(found, self.net, self.optimizer)
            self._restore_beside(found)
            start, self.kept_step = found.sidecar.step, found.sidecar.kept_step
            self.curve, self.points = list(found.sidecar.loss), list(found.sidecar.validation)
            self.monitor.supplies = {
                part: [Supply(*s) for s in held] for part, held in found.sidecar.supplies
            }
        for text in damaged:
            on_note(f"{text}; going on from step {start}")
        return start

    def step(
        self,
        step: int,
        batch: TrainingBatch,
        on_step: Callable[[int, float], None],
        on_validation: Callable[[int, float], None],
    ) -> None:
        """Run one step, then log, validate and save if due.

        Args:
            step: Number of the step, from 0.
            batch: Batch of this process.
            on_step: Called with (steps done, mean loss) at each entry of the loss curve.
            on_validation: Called with (steps done, mIoU in percent) after each validation.
        """
        conditions, done = self.conditions, step + 1
        every = conditions.checkpoint_every
        keep = every > 0 and done % every == 0 and done < conditions.steps
        due = self.validate is not None and is_due(done, conditions)
        log = done % LOG_EVERY == 0 or done == conditions.steps or keep or due
        self._learn(step, batch, log=log)
        late = False
        if log:
            # Checked before a checkpoint, so that no weights are saved after a non-finite loss.
            late = self._log(done, on_step)
        if due:
            check_finite(self.net, done)
            self.points.append((done, self.group.said(self._validated)))
            if self.group.leads:
                on_validation(*self.points[-1])
            best = self.best and best_step(self.points, done) == done
            keep = keep or (best and done < conditions.steps)
        if keep or (late and done < conditions.steps):
            self._keep(done)

    def _learn(self, step: int, batch: TrainingBatch, *, log: bool) -> None:
        done = step + 1
        late = done > LATE * self.conditions.steps
        self.learner.objective.watched = log
        watch = self.monitor.watch(done, late=late) if log and self.group.leads else nullcontext()
        with watch:
            self.recent.append(_step(self.learner, self.optimizer, batch, step, self.trial.seed))
        if self.average:
            self.average.update(done)

    def _log(self, done: int, on_step: Callable[[int, float], None]) -> bool:
        """Record the mean loss since the last entry; return whether a checkpoint is due by time."""
        # Read together, because each read of a single loss would stall the GPU.
        losses = torch.stack(self.recent).float()
        self.recent.clear()
        late = time.monotonic() - self.kept >= max(CLOCK_S, self.took / CLOCK_SHARE)
        if self.group.size > 1:
            said = losses.new_tensor([float(late and self.group.leads)])
            sums = self.group.sum(torch.cat((losses, said)))
            losses, late = sums[:-1] / self.group.size, bool(sums[-1] > 0)
        values = cast("list[float]", losses.tolist())
        mean = mean_loss(values, done, self.learner.scaler)
        if mean is not None:
            self.curve.append((done, mean))
            if self.group.leads:
                on_step(done, mean)
        return late

    def _validated(self) -> float:
        assert self.validate is not None
        with self.average.applied() if self.average else nullcontext():
            return validated(self.net, self.validate)

    def _keep(self, done: int) -> None:
        begin = time.monotonic()
        check_finite(self.net, done)
        if not self.group.leads:
            return
        needed = needed_steps(self.folder, self.points, done) if self.best else ()
        beside = scaler_tensors(self.learner.scaler)
        if self.average:
            beside |= self.average.tensors()
        sidecar = self._sidecar(done)
        save_checkpoint(self.folder, self.net, self.optimizer, sidecar, needed, beside)
        self.kept = time.monotonic()
        self.took = self.kept - begin

    def end(self, start: int) -> int:
        """Finish a training that began at step `start`; return the step of the best weights or 0.

        The network and the last checkpoint then hold the weights to be scored. The step is 0 unless
        the best weights were kept.
        """
        steps, every = self.conditions.steps, self.conditions.checkpoint_every
        if start < steps:
            check_finite(self.net, steps)
            if self.group.leads:
                self._finish(steps)
        if self.group.leads:
            last = {s for s in steps_in(self.folder) if s == steps or (every and s % every == 0)}
            keep_only(self.folder, last)
        return self.kept_step

    def _finish(self, steps: int) -> None:
        if self.best:
            self.kept_step = best_step(self.points, steps)
            if chosen := best_checkpoint(self.folder, self.points, steps):
                restore(chosen, self.net)
                self._restore_beside(chosen)
        if self.average:
            self.average.exchange()
        sidecar = self._sidecar(steps).model_copy(update={"kept_step": self.kept_step})
        save_checkpoint(self.folder, self.net, None, sidecar)

    def _restore_beside(self, found: Checkpoint) -> None:
        """Restore the scale of fp16 and the moving average from an intermediate checkpoint."""
        if found.sidecar.step < self.conditions.steps:
            restore_scaler(self.learner.scaler, found.tensors)
            if self.average:
                self.average.restore(found.tensors)

    def _sidecar(self, step: int) -> Sidecar:
        supplies = tuple(
            (part, tuple((s.relative, s.silent) for s in held))
            for part, held in self.monitor.supplies.items()
        )
        return Sidecar(
            sha256="",
            step=step,
            trial=training_id(self.trial),
            system=self.trial.system.trained(),
            num_classes=self.num_classes,
            loss=tuple(self.curve),
            validation=tuple(self.points),
            supplies=supplies,
        )


def _step(
    learner: Learner,
    optimizer: torch.optim.Optimizer,
    batch: TrainingBatch,
    step: int,
    seed: int,
) -> Tensor:
    for group in optimizer.param_groups:
        group["lr"] = group["rate"] * learning_rate(step, learner.conditions)
    optimizer.zero_grad()
    loss = learner.gradients(*batch, partial(step_seed, step, seed))
    learner.scaler.unscale_(optimizer)
    learner.scaler.step(optimizer)
    learner.scaler.update()
    return loss
