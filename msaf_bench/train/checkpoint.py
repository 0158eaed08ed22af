"""Checkpoints: safetensors with a JSON sidecar (sha256, system, step).

Files are replaced atomically and verified when read. The sidecar is written first, so a checkpoint
is complete as soon as its weights have their final name.
"""

import hashlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from msaf_bench.errors import DataError, HostError
from msaf_bench.files import read_kept, write_atomic, write_kept
from msaf_bench.inputs import regular
from msaf_bench.spec import Spec, System, Trial

KEEP = 2  #: number of checkpoints per trial that stay on disk


class Sidecar(Spec):
    """Metadata of a checkpoint."""

    sha256: str
    step: int
    trial: str = ""  #: `training_id` of the trial; empty in files of earlier versions
    system: System
    num_classes: int
    #: step of these weights if those of the highest validation mIoU were kept; 0: `step`
    kept_step: int = 0
    loss: tuple[tuple[int, float], ...] = ()
    validation: tuple[tuple[int, float], ...] = ()  #: (steps done, mIoU in percent)
    #: (relative, silent) gradient of each part over the last tenth of the training
    supplies: tuple[tuple[str, tuple[tuple[float, float], ...]], ...] = ()


class Checkpoint(NamedTuple):
    """A checkpoint, read and verified."""

    path: Path
    sidecar: Sidecar
    tensors: Mapping[str, Tensor]


def save_checkpoint(
    folder: Path,
    net: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    sidecar: Sidecar,
    needed: Collection[int] = (),
    beside: Mapping[str, Tensor] = MappingProxyType({}),
) -> Path:
    """Write `step-N.safetensors` and its sidecar, then remove older checkpoints.

    The newest `KEEP` checkpoints stay.

    Args:
        folder: Folder of the checkpoints.
        net: Network whose weights are saved.
        optimizer: Optimizer whose state is saved. None makes a checkpoint for inference, not
            resuming.
        sidecar: Metadata; its sha256 is filled in here.
        needed: Further steps whose checkpoints stay.
        beside: Further tensors for resuming.

    Returns:
        Path of the weights.

    Raises:
        HostError: The checkpoint cannot be written.
    """
    tensors = {f"model.{k}": v.detach().cpu().contiguous() for k, v in net.state_dict().items()}
    states: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"] if optimizer else {}
    for index, state in states.items():
        tensors |= {f"optimizer.{index}.{k}": _held(v) for k, v in state.items()}
    tensors |= {name: _held(value) for name, value in beside.items()}
    content = save(tensors)
    path = path_of(folder, sidecar.step)
    sidecar = sidecar.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    write_kept(path.with_suffix(".json"), sidecar)
    write_atomic(path, content)
    keep_only(folder, {*steps_in(folder)[-KEEP:], *needed})
    return path


def _held(tensor: Tensor) -> Tensor:
    """Return a copy in main memory, in the contiguous layout of a file."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def path_of(folder: Path, step: int) -> Path:
    """Return the path of a step's weights."""
    return folder / f"step-{step:07d}.safetensors"


def steps_in(folder: Path) -> list[int]:
    """Return the steps with weights in a folder, in order, complete or not."""
    return sorted(
        int(found[1])
        for path in folder.glob("step-*.safetensors")
        if (found := re.fullmatch(r"step-(\d+)", path.stem))
    )


def keep_only(folder: Path, steps: Collection[int]) -> None:
    """Remove the weights and sidecars of all other steps."""
    names = {f"step-{step:07d}" for step in steps}
    for path in folder.glob("step-*"):
        if (
            path.stem not in names
            and re.fullmatch(r"step-\d{7,}\.(safetensors|json)", path.name)
            and not path.is_dir()
        ):
            path.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and verify a checkpoint.

    Raises `DataError` if a file is missing, truncated or changed.
    """
    try:
        content = regular(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); use an older step") from error
    try:
        sidecar = read_kept(
            Sidecar, path.with_suffix(".json"), "checkpoint's sidecar", "use an older step"
        )
    except HostError as error:
        raise DataError(str(error)) from error
    if hashlib.sha256(content).hexdigest() != sidecar.sha256:
        raise DataError(
            f"{path}: damaged, the content does not match its sha256; use an older step"
        )
    try:
        return Checkpoint(path, sidecar, load(content))
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file ({error})") from error


def training_id(trial: Trial) -> str:
    """Return the id of a trial's training, which does not depend on how often it is saved."""
    return trial.model_copy(
        update={"conditions": trial.conditions.model_copy(update={"checkpoint_every": 0})}
    ).id


def newest_checkpoint(folder: Path, training: str = "") -> tuple[Checkpoint | None, list[str]]:
    """Return the newest intact checkpoint of a folder, and the faults of newer ones.

    With a `training` id, checkpoints of other trainings count as faulty. The checkpoint is None if
    none is intact.
    """
    damaged: list[str] = []
    for path in sorted(folder.glob("step-*.safetensors"), reverse=True):
        try:
            found = read_checkpoint(path)
        except DataError as error:
            damaged.append(str(error))
            continue
        if training and found.sidecar.trial not in ("", training):
            damaged.append(
                f"{path}: belongs to another trial ({found.sidecar.trial}); use an older step"
            )
        elif path.stem != f"step-{found.sidecar.step:07d}":
            damaged.append(
                f"{path}: holds step {found.sidecar.step}, which does not match its name; use"
                " an older step"
            )
        else:
            return found, damaged
    return None, damaged


def restore(
    checkpoint: Checkpoint, net: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> None:
    """Restore the weights and, if given, the optimizer's state.

    Raises `DataError` if the weights do not fit the network.
    """
    model = {
        k.removeprefix("model."): v for k, v in checkpoint.tensors.items() if k.startswith("model.")
    }
    try:
        net.load_state_dict(model)
    except RuntimeError as error:
        raise DataError(
            f"{checkpoint.path}: the weights do not fit {checkpoint.sidecar.system.name}"
        ) from error
    if optimizer:
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in checkpoint.tensors.items():
            if found := re.fullmatch(r"optimizer\.(\d+)\.(\w+)", key):
                states.setdefault(int(found[1]), {})[found[2]] = value
        optimizer.load_state_dict(optimizer.state_dict() | {"state": states})
        for weights, state in optimizer.state.items():
            # The optimizer's kernels expect its state in the memory layout of the weights.
            state |= {
                name: torch.empty_like(weights).copy_(value)
                for name, value in state.items()
                if value.shape == weights.shape
            }


def scaler_tensors(scaler: torch.amp.GradScaler) -> dict[str, Tensor]:
    """Return the scale of fp16 as tensors of a checkpoint; empty for other precisions."""
    return {
        f"scaler.{name}": torch.tensor(float(value)) for name, value in scaler.state_dict().items()
    }


def restore_scaler(scaler: torch.amp.GradScaler, tensors: Mapping[str, Tensor]) -> None:
    """Restore the scale of fp16 from the tensors of a checkpoint."""
    if scaler.is_enabled():
        held: dict[str, float] = scaler.state_dict()
        scaler.load_state_dict(
            {name: type(v)(tensors[f"scaler.{name}"].item()) for name, v in held.items()}
        )


def backbone_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Return the state dict of the backbone alone."""
    return {
        k.removeprefix("model.backbone."): v
        for k, v in checkpoint.tensors.items()
        if k.startswith("model.backbone.")
    }
