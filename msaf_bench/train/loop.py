"""The training loop: AdamW, linear warm-up, poly decay."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data.clips import Clips
from msaf_bench.liveness import Supply
from msaf_bench.spec import Conditions, System, Trial
from msaf_bench.train.average import Average
from msaf_bench.train.batches import batches
from msaf_bench.train.course import Course, Loss
from msaf_bench.train.features import Features
from msaf_bench.train.optimizer import optimizer_of
from msaf_bench.train.parallel import check_group, current
from msaf_bench.train.step import prepared
from msaf_bench.train.validation import Validate
from msaf_bench.vitals import Monitor


class Trained(NamedTuple):
    """What a training leaves beside the weights."""

    loss: Loss
    supply: dict[str, Supply]  #: gradient of each part over the last tenth
    validation: Loss  #: (steps done, mIoU in percent)
    kept_step: int  #: step whose weights the network has now, where the best were kept; else 0
    determinism: str  #: how far equal seeds give equal numbers


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
    threads, interrupted or not.

    In a group of processes (`train.parallel`) each calls it with the same arguments; process 0
    alone validates, writes and is heard. Raises `NonFiniteLossError`, in all processes at the same
    step, and `LostError` where another process has ended.
    """
    group = current()
    check_group(conditions, group.size)
    optimizer = optimizer_of(net, conditions)
    with prepared(net, conditions, group) as learner:
        course = Course(
            trial=Trial(system=system, conditions=conditions, seed=seed),
            num_classes=len(clips.classes),
            folder=folder,
            learner=learner,
            optimizer=optimizer,
            monitor=Monitor(net, on_note if group.leads else lambda text: None),
            average=Average(net, conditions.ema) if conditions.ema else None,
            validate=validate,
        )
        start = course.resume(on_note)
        net.train()
        if conditions.backbone_rate == 0:
            net.backbone.eval()
        with batches(
            clips,
            conditions,
            seed,
            start=start,
            device=device,
            features=features,
            threads=loader_threads,
            group=group,
        ) as made:
            for step, batch in enumerate(made, start):
                course.step(step, batch, on_step, on_validation)
        kept_step = course.end(start)
    return Trained(
        course.curve, course.monitor.supply(), course.points, kept_step, learner.determinism
    )
