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
    """Result of a training besides the weights."""

    loss: Loss
    supply: dict[str, Supply]  #: gradient of each part over the last tenth of the training
    validation: Loss  #: (steps done, mIoU in percent)
    kept_step: int  #: step of the network's weights if the best were kept; else 0
    determinism: str  #: extent to which equal seeds give equal numbers


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
    """Train `net` in place, resuming from a checkpoint in `folder` if there is one.

    With `conditions.backbone_rate` 0 the backbone is frozen, including its batch norms. A
    checkpoint is written every `checkpoint_every` steps, and whenever a minute has passed at an
    entry of the loss curve; the latter are removed at the end. With `conditions.keep` "best", `net`
    and the last checkpoint end with the weights of the highest validation mIoU. Equal seeds give
    equal numbers on a CPU with equal threads, interrupted or not.

    In a group of processes (`train.parallel`), each process calls this with the same arguments;
    only process 0 validates, writes and calls back.

    Args:
        net: Network to train, on its device.
        clips: Training clips.
        conditions: Conditions of the training.
        seed: Seed of all random numbers.
        system: System of the network, for the checkpoints.
        folder: Folder of the checkpoints.
        device: Device of the batches.
        features: Features of the clips under a frozen backbone. Default: frames are read.
        loader_threads: Number of threads that prepare batches ahead; changes no number.
        validate: Returns the mIoU of the network in percent. Called every
            `conditions.validate_every` steps and after the last, without effect on the training.
        on_step: Called with (steps done, mean loss since the last call) every `LOG_EVERY` steps.
        on_note: Called with notes for the user, such as a part that is not live.
        on_validation: Called with (steps done, mIoU in percent).

    Raises:
        NonFiniteLossError: A loss or weight is not finite; raised in all processes at the same
            step.
        LostError: Another process has ended.
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
