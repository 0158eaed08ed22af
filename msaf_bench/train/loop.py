"""The training loop: AdamW, linear warm-up, poly decay."""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from msaf_bench.architectures.network import ExtractingNetwork, VideoNetwork
from msaf_bench.data.clips import Clips
from msaf_bench.errors import BenchError
from msaf_bench.liveness import Supply
from msaf_bench.spec import Conditions, System, Trial
from msaf_bench.train.batches import Inputs, batches
from msaf_bench.train.checkpoint import (
    Sidecar,
    keep_only,
    newest_checkpoint,
    restore,
    save_checkpoint,
    steps_in,
    training_id,
)
from msaf_bench.train.features import Features
from msaf_bench.train.schedule import learning_rate, step_seed
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
#: wall time after which a training is kept, whatever `checkpoint_every` says; no condition, since
#: it changes no number
CLOCK_S = 60.0
CLOCK_SHARE = 0.05  #: of the wall time, at most, for being kept so

Loss = list[tuple[int, float]]
LATE = 0.9  #: the pulse's gradient is taken over the steps after this part of the training


class Trained(NamedTuple):
    """What a training leaves beside the weights."""

    loss: Loss
    supply: dict[str, Supply]  #: gradient of each part over the last tenth
    validation: Loss  #: (steps done, mIoU in percent)
    kept_step: int  #: step whose weights the network has now, where the best were kept; else 0


class NonFiniteLossError(BenchError):
    """The loss, or a weight, was NaN or infinite; the message names the step."""


def train(
    net: VideoNetwork,
    clips: Clips,
    conditions: Conditions,
    seed: int,
    *,
    system: System,
    folder: Path,
    device: str = "cpu",
    features: Features | None = None,
    loader_threads: int = 0,
    validate: Validate | None = None,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    on_note: Callable[[str], None] = lambda text: None,
    on_validation: Callable[[int, float], None] = lambda step, miou: None,
) -> Trained:
    """Trains `net` in place and leaves its checkpoint in `folder`; resumes from a checkpoint there.

    With `conditions.backbone_rate` 0 the backbone is frozen, its batch norms too; `features` then
    holds what it gives of each clip. `loader_threads` make batches ahead and change no number. The
    training is kept every `checkpoint_every` steps and, at an entry of the loss curve, whenever a
    minute has passed; what only the clock asked for is removed at the end.

    `validate` measures the network every `conditions.validate_every` steps and after the last,
    without effect on the training; with `conditions.keep` "best" the weights of its highest mIoU
    are left in `net` and in the last checkpoint.

    `on_step` hears (steps done, mean loss since the last call) every `LOG_EVERY` steps,
    `on_validation` (steps done, mIoU in percent), `on_note` what a user should know: a part that is
    not live is said at the next such step. Equal seeds give equal numbers on a CPU with equal
    threads, interrupted or not. Raises `NonFiniteLossError`.
    """
    optimizer = _optimizer(net, conditions)
    identity = training_id(Trial(system=system, conditions=conditions, seed=seed))
    found, damaged = newest_checkpoint(folder, identity)
    best = conditions.keep == "best"
    if best:
        found, damaged = with_best(found, damaged, folder)
    start, curve, points, kept_step = 0, Loss(), Loss(), 0
    monitor = Monitor(net, on_note)
    if found:
        restore(found, net, optimizer)
        start, kept_step = found.sidecar.step, found.sidecar.kept_step
        curve, points = list(found.sidecar.loss), list(found.sidecar.validation)
        monitor.supplies = {
            part: [Supply(*s) for s in held] for part, held in found.sidecar.supplies
        }
    for text in damaged:
        on_note(f"{text}; going on from step {start}")
    net.train()
    if conditions.backbone_rate == 0:
        net.backbone.eval()
    recent = list[Tensor]()
    kept, took = time.monotonic(), 0.0  # when a checkpoint was written last, and how long it took
    with batches(
        clips,
        conditions,
        seed,
        start=start,
        device=device,
        features=features,
        threads=loader_threads,
    ) as made:
        for step, (inputs, labels) in enumerate(made, start):
            torch.manual_seed(step_seed(step, seed))
            done = step + 1
            keep = (
                conditions.checkpoint_every
                and done % conditions.checkpoint_every == 0
                and done < conditions.steps
            )
            due = validate is not None and is_due(done, conditions)
            log = done % LOG_EVERY == 0 or done == conditions.steps or keep or due
            with monitor.watch(done, late=done > LATE * conditions.steps) if log else nullcontext():
                recent.append(_step(net, optimizer, inputs, labels, step, conditions))
            if log:
                # Before a checkpoint too: no weights after a loss that was not finite are kept.
                curve.append((done, _mean(recent, done)))
                recent.clear()
                on_step(*curve[-1])
            if validate is not None and due:
                _check_finite(net, done)
                points.append((done, validated(net, validate)))
                on_validation(*points[-1])
                keep = keep or (best and best_step(points, done) == done < conditions.steps)
            late = time.monotonic() - kept >= max(CLOCK_S, took / CLOCK_SHARE)
            if keep or (log and late and done < conditions.steps):
                begin = time.monotonic()
                _check_finite(net, done)
                sidecar = _sidecar(identity, system, clips, done, curve, monitor, points)
                needed = needed_steps(folder, points, done) if best else ()
                save_checkpoint(folder, net, optimizer, sidecar, needed)
                kept = time.monotonic()
                took = kept - begin
    if start < conditions.steps:
        _check_finite(net, conditions.steps)
        if best:
            kept_step = best_step(points, conditions.steps)
            if chosen := best_checkpoint(folder, points, conditions.steps):
                restore(chosen, net)
        sidecar = _sidecar(identity, system, clips, conditions.steps, curve, monitor, points)
        save_checkpoint(folder, net, None, sidecar.model_copy(update={"kept_step": kept_step}))
    every = conditions.checkpoint_every
    keep_only(
        folder, [s for s in steps_in(folder) if s == conditions.steps or (every and s % every == 0)]
    )
    return Trained(curve, monitor.supply(), points, kept_step)


def _optimizer(net: VideoNetwork, conditions: Conditions) -> torch.optim.Optimizer:
    """AdamW with one group for each rate; a frozen backbone is in none."""
    own = {id(p) for p in net.backbone.parameters()}
    if conditions.backbone_rate == 0:
        net.backbone.requires_grad_(False)
    groups: dict[float, list[Tensor]] = {conditions.backbone_rate: [], 1.0: []}
    for name, weights in net.named_parameters():
        rate = conditions.backbone_rate if id(weights) in own else 1.0
        for part, factor in conditions.rates:
            rate *= factor if part in name.split(".") else 1.0
        if rate:
            groups.setdefault(rate, []).append(weights)
    held = [{"params": weights, "rate": rate} for rate, weights in groups.items() if weights]
    return torch.optim.AdamW(
        held, lr=conditions.lr, weight_decay=conditions.weight_decay, fused=True
    )


def _step(
    net: VideoNetwork,
    optimizer: torch.optim.Optimizer,
    inputs: Inputs,
    labels: Tensor,
    step: int,
    conditions: Conditions,
) -> Tensor:
    for group in optimizer.param_groups:
        group["lr"] = group["rate"] * learning_rate(step, conditions)
    with torch.autocast(labels.device.type, torch.bfloat16, enabled=conditions.precision == "bf16"):
        if isinstance(inputs, Tensor):
            out = net(inputs)
        else:
            assert isinstance(net, ExtractingNetwork)
            out = net.from_features(inputs, labels)
        loss = net.loss(out, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _mean(losses: list[Tensor], step: int) -> float:
    # Read together, so that a GPU is not made to wait at every step.
    values = cast("list[float]", torch.stack(losses).float().tolist())
    for i, value in enumerate(values):
        if not math.isfinite(value):
            raise NonFiniteLossError(
                f"non-finite loss ({value}) at step {step - len(values) + i + 1}"
            )
    return sum(values) / len(values)


def _check_finite(net: nn.Module, step: int) -> None:
    """Raises `NonFiniteLossError` for weights that the last step has made NaN or infinite: no later
    loss would tell.
    """
    for name, weights in net.named_parameters():
        if not torch.isfinite(weights).all():
            raise NonFiniteLossError(f"non-finite weights ({name}) after step {step}")


def _sidecar(
    trial: str,
    system: System,
    clips: Clips,
    step: int,
    curve: Loss,
    monitor: Monitor,
    points: Loss,
) -> Sidecar:
    supplies = tuple(
        (part, tuple((s.relative, s.silent) for s in held))
        for part, held in monitor.supplies.items()
    )
    return Sidecar(
        sha256="",
        step=step,
        trial=trial,
        system=system.trained(),
        num_classes=len(clips.classes),
        loss=tuple(curve),
        validation=tuple(points),
        supplies=supplies,
    )
