"""The training loop: AdamW, linear warm-up, poly decay."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from msaf_bench.data.clips import Clips
from msaf_bench.data.transforms import augment, to_tensors
from msaf_bench.errors import BenchError
from msaf_bench.spec import Conditions, System
from msaf_bench.train.checkpoint import Sidecar, newest_checkpoint, restore, save_checkpoint
from msaf_bench.train.schedule import augmentation_rng, batch_indices, learning_rate, step_seed

LOG_EVERY = 10  #: steps between two entries of the loss curve

Loss = list[tuple[int, float]]


class NonFiniteLossError(BenchError):
    """The loss was NaN or infinite; the message names the step."""


def train(
    net: Any,
    clips: Clips,
    conditions: Conditions,
    seed: int,
    *,
    system: System,
    folder: Path,
    device: str = "cpu",
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Loss:
    """Trains `net` in place and leaves its checkpoint in `folder`; resumes from a checkpoint there. Gives the loss curve.

    `on_step` hears (steps done, mean loss since the last call) every `LOG_EVERY` steps, `on_note` what a user should know. Equal seeds
    give equal numbers on a CPU with equal threads, interrupted or not. Raises `NonFiniteLossError`.
    """
    optimizer = _optimizer(net, conditions)
    found, damaged = newest_checkpoint(folder)
    start, curve = 0, Loss()
    if found:
        restore(found, net, optimizer)
        start, curve = found.sidecar.step, list(found.sidecar.loss)
    for text in damaged:
        on_note(f"{text}; going on from step {start}")
    net.train()
    recent = list[Tensor]()
    for step, (frames, labels) in _batches(clips, conditions, seed, start, device):
        torch.manual_seed(step_seed(step, seed))
        recent.append(_step(net, optimizer, frames, labels, step, conditions))
        done = step + 1
        keep = conditions.checkpoint_every and done % conditions.checkpoint_every == 0 and done < conditions.steps
        if done % LOG_EVERY == 0 or done == conditions.steps or keep:
            # Before a checkpoint too: weights after a loss that was not finite must never be kept.
            curve.append((done, _mean(recent, done)))
            recent.clear()
            on_step(*curve[-1])
        if keep:
            save_checkpoint(folder, net, optimizer, _sidecar(system, clips, done, curve))
    if start < conditions.steps:
        save_checkpoint(folder, net, None, _sidecar(system, clips, conditions.steps, curve))
    return curve


def _optimizer(net: Any, conditions: Conditions) -> torch.optim.Optimizer:
    own = {id(p) for p in net.backbone.parameters()}
    groups = [
        {"params": list(net.backbone.parameters()), "rate": conditions.backbone_rate},
        {"params": [p for p in net.parameters() if id(p) not in own], "rate": 1.0},
    ]
    return torch.optim.AdamW(groups, lr=conditions.lr, weight_decay=conditions.weight_decay, fused=True)


def _step(net: Any, optimizer: torch.optim.Optimizer, frames: Tensor, labels: Tensor, step: int, conditions: Conditions) -> Tensor:
    for group in optimizer.param_groups:
        group["lr"] = group["rate"] * learning_rate(step, conditions)
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=conditions.precision == "bf16"):
        loss = net.loss(net(frames), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def _mean(losses: list[Tensor], step: int) -> float:
    # Read together, so that a GPU is not made to wait at every step.
    values = cast("list[float]", torch.stack(losses).float().tolist())
    for i, value in enumerate(values):
        if not math.isfinite(value):
            raise NonFiniteLossError(f"non-finite loss ({value}) at step {step - len(values) + i + 1}")
    return sum(values) / len(values)


def _batches(clips: Clips, conditions: Conditions, seed: int, start: int, device: str) -> Iterator[tuple[int, tuple[Tensor, Tensor]]]:
    """(step, (frames, labels)) from `start` on; on a GPU the next batches are made while this one is used."""

    def make(step: int) -> tuple[Tensor, Tensor]:
        rng = augmentation_rng(step, seed)
        chosen = batch_indices(step, conditions.batch, len(clips), seed)
        frames, labels = to_tensors([augment(clips[i], conditions, rng) for i in chosen])
        return frames.to(device), labels.to(device)

    steps = range(start, conditions.steps)
    if device == "cpu":
        yield from ((step, make(step)) for step in steps)
        return
    ahead = 8
    with ThreadPoolExecutor(4) as pool:
        waiting = {step: pool.submit(make, step) for step in steps[:ahead]}
        for step in steps:
            if step + ahead < conditions.steps:
                waiting[step + ahead] = pool.submit(make, step + ahead)
            yield step, waiting.pop(step).result()


def _sidecar(system: System, clips: Clips, step: int, curve: Loss) -> Sidecar:
    return Sidecar(sha256="", step=step, system=system, num_classes=len(clips.classes), loss=tuple(curve))
