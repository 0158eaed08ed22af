"""Checks before the first trial, for errors that would stop every trial."""

from collections.abc import Mapping
from typing import NamedTuple, cast

import torch

from msaf_bench.analyzers.consistency.flows import flows_of
from msaf_bench.architectures import builtin
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.catalog import systems_of
from msaf_bench.data import content_of, open_split
from msaf_bench.data.clips import Clips
from msaf_bench.errors import DataError, UsageError, one_of, text_of
from msaf_bench.registry import Registry
from msaf_bench.spec import VOID, Conditions, System
from msaf_bench.spec.stand_ins import check_weights_kept
from msaf_bench.sweep.plan import Plan
from msaf_bench.sweep.workspace import Setting
from msaf_bench.train.parallel import check_group, current


def check_systems(plan: Plan) -> dict[str, VideoNetwork]:
    """Build every row and return the networks on the meta device, by the key of their system.

    Raises `UsageError`, naming the row, for a wrong component, option, value or file of weights. It
    is also raised if a network reads more frames than a clip has, or if no row reads all of them.
    """
    registry, conditions = builtin().extend(plan.plugins), plan.conditions
    for name, _ in conditions.shrink:
        one_of("slot, component or architecture to shrink", name, registry.names())
    nets: dict[str, VideoNetwork] = {}
    published, rows = systems_of(plan.table), dict(plan.table.rows)
    for label, (system, own) in plan.subjects().items():
        try:
            if label in published:
                check_weights_kept(published[label], conditions, rows[label].swap)
            net = _built(registry, system, conditions)
        except (UsageError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"{plan.table.name}: row {label!r}: {text_of(error)}") from error
        if net.frames > conditions.frames:
            raise UsageError(
                f"row {label!r} reads {net.frames} frames, but a clip has {conditions.frames}; add"
                f" --set frames={net.frames}"
            )
        check_group(own, current().size)
        if own.batch == own.accumulate:
            check_batch_of_one(label, net, own.crop or own.size)
        nets[system.key] = net
    _check_rates(plan, nets)
    most_frames = max(net.frames for net in nets.values())
    if plan.table.base and 1 < most_frames < conditions.frames:
        raise UsageError(
            f"a clip has {conditions.frames} frames, but no row reads more than {most_frames}; set"
            " the systems' option 'frames' too"
        )
    return nets


def _built(registry: Registry, system: System, conditions: Conditions) -> VideoNetwork:
    """Return the system's network on the meta device."""
    registry.check(system)
    with torch.device("meta"):
        net = registry.build(system, 2)
    frames = cast("object", net.frames)
    if isinstance(frames, bool) or not isinstance(frames, int):
        raise UsageError(f"its network reads {frames!r} frames; `frames` must be a whole number")
    _read_starts(registry, system, conditions)
    return net


def _check_rates(plan: Plan, nets: Mapping[str, VideoNetwork]) -> None:
    """Raise `UsageError` for the learning rate of a missing part, or a backbone that stays random.

    A part counts as missing if no row has it, or if the row that names it lacks it.
    """
    every = {part for net in nets.values() for part in _weight_names(net)}
    for part, _ in plan.conditions.rates:
        if part not in every:
            raise UsageError(
                f"rates.{part}: no row has weights with this name; name an existing part, or omit"
                " it"
            )
    for label, (system, own) in plan.subjects().items():
        names = _weight_names(nets[system.key])
        for part, _ in set(own.rates) - set(plan.conditions.rates):
            if part not in names:
                raise UsageError(
                    f"row {label!r}: rates.{part}: the row has no weights with this name; name an"
                    " existing part, or omit it"
                )
        if own.backbone_rate or plan.conditions.pretrain_steps:
            continue
        backbone = dict(system.slots).get("backbone")
        if backbone is None or "weights" not in dict(backbone.options):
            raise UsageError(
                f"row {label!r}: backbone_rate = 0 freezes random weights; add --set"
                " pretrain_steps=1500, or --start FILE"
            )


def _weight_names(net: VideoNetwork) -> set[str]:
    """Return all components of the names of a network's weights."""
    return {part for name, _ in net.named_parameters() for part in name.split(".")}


def _read_starts(registry: Registry, system: System, conditions: Conditions) -> None:
    """Read the system's files of starting weights.

    Raises `UsageError` if one is missing or does not fit.
    """
    starts = system.starts()
    if missing := [start.path for start in starts if not start.sha256]:
        raise UsageError(
            f"weights {missing[0]}: no such file; a relative path is resolved in the folder of its"
            " .toml file, then in the working folder"
        )
    if nowhere := [start for start in starts if not start.path]:
        raise UsageError(f"{nowhere[0]}: only a hash, not a file; name the file")
    if not starts:
        return
    try:
        registry.build(system, 2)
    except UsageError as error:
        bare = dict(system.trained().slots)
        slots = [f"{slot} {bare[slot]}" for slot, choice in system.slots if choice.starts()]
        small = f", as preset {conditions.preset} runs it" if conditions.shrink else ""
        other = f", with --start {system.name}=FILE for this row alone" if conditions.start else ""
        raise UsageError(f"{', '.join(slots)}{small}: {text_of(error)}{other}") from error


def check_batch_of_one(label: str, net: VideoNetwork, size: tuple[int, int]) -> None:
    """Run a network in training mode on the meta device, with one clip of frames of `size` (H, W).

    Raises `UsageError` if batch norm would see a single value per channel, as behind a 1x1 pooling.
    """
    try:
        with torch.device("meta"):
            net.train()(torch.empty(1, net.frames, 3, *size))
    except ValueError as error:
        raise UsageError(
            f"row {label!r} cannot train with batch = 1: {error}; add --set batch=2"
        ) from error


class Opened(NamedTuple):
    """Data of a plan."""

    train: Clips
    score: Clips
    validate: Clips | None  #: None without validation during training
    content: str  #: fingerprint of the data


def check_data(plan: Plan, setting: Setting) -> Opened:
    """Open the data of a plan and return it.

    Raises `UsageError` and `DataError` as `open_split` does. They are also raised if the data set
    lacks the flow or past frames of the conditions, or if a split has no labelled pixel.
    """
    conditions = plan.conditions
    readers = setting.readers(conditions)
    train, score = (
        open_split(conditions, split, setting.root, readers=readers) for split in ("train", "score")
    )
    for name, clips in (("training", train), ("scored", score)):
        _check_labelled(clips, f"{conditions.data}: every pixel of the {name} split is void")
    if conditions.flow != "none" and score.pairs:
        # only some data sets have exact flow
        flows_of(score, conditions.flow)(score.pairs[0])
    of_controls = dict.fromkeys(own for _, own in plan.subjects().values())
    for own in of_controls:
        if own.past != conditions.past:
            # not every data set can supply every kind of past frames
            open_split(own, "score", setting.root, readers=readers)[0]
    held = None
    if conditions.validate_every:
        held = open_split(conditions, "validate", setting.root, readers=readers)
    return Opened(train, score, held, content_of(conditions, train, score))


def _check_labelled(clips: Clips, fault: str) -> None:
    """Raise `DataError` if all label maps of the clips are void. Usually the first one decides."""
    if not any((clips[index].label != VOID).any() for index in range(len(clips))):
        raise DataError(f"{fault}; correct the ids or colours of its label maps")
