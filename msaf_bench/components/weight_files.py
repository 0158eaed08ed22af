"""Weights from a file: a state dict of the network, or of a classifier built on it."""

import hashlib
import pickle
from io import BytesIO
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from msaf_bench.errors import UsageError, and_more
from msaf_bench.inputs import regular
from msaf_bench.starting import OPTION, start_of

#: Prefixes of the classifier in ImageNet files: torchvision's ResNets, then the official HRNets.
CLASSIFIERS = ("fc.", "classifier.", "final_layer.", "incre_modules.", "downsamp_modules.")
#: keys under which a file may nest the tensors, beside a step, an optimizer and so on
INSIDE = ("state_dict", "model", "module")
#: prefixes of names in files of a larger model that contains the backbone
PREFIXES = ("module.", "backbone.", "encoder.", "model.")


def load_weights(net: nn.Module, weights: str) -> None:
    """Load a state dict from disk into a network, without the tensors of `CLASSIFIERS`.

    A network on the meta device stays unchanged. So does a network whose `weights` are known by
    their content alone (`msaf_bench.starting`). The tensors may be nested one level down
    (`INSIDE`), and their names may start with `PREFIXES`. Raises `UsageError` if the file cannot be
    read or has other content, or if a tensor is missing, unknown or of another shape.
    """
    start = start_of(OPTION, weights)
    if start is None:
        raise UsageError(f"weights {weights!r}: does not look like a file name; write ./{weights}")
    sha256, path = start
    if next(net.parameters()).is_meta or not path:
        return
    tensors, seen = _unprefixed(_read(path, sha256), set(net.state_dict()))
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(CLASSIFIERS)}
    try:
        net.load_state_dict(kept)
    except RuntimeError as error:
        wanted = net.state_dict()
        begin = f"its names begin with {seen}; " if seen and not wanted.keys() & kept else ""
        raise UsageError(
            f"weights {path}: {begin}{_misfit(wanted, kept)}; give a state dict of this network"
        ) from error


def _misfit(wanted: dict[str, Tensor], found: dict[str, Tensor]) -> str:
    """Return the first mismatch between tensors and a network, and the number of all others."""
    faults = [
        f"size mismatch for {name}: {_size(found[name])} in the file, {_size(tensor)} in the"
        " network"
        for name, tensor in wanted.items()
        if name in found and found[name].shape != tensor.shape
    ]
    # files of old PyTorch versions lack this counter; PyTorch adds it
    needed = [name for name in wanted if not name.endswith(".num_batches_tracked")]
    faults += [f"{name} is not in the file" for name in needed if name not in found]
    faults += [f"{name} is not in the network" for name in found if name not in wanted]
    return faults[0] + and_more(len(faults) - 1, len(wanted | found))


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"


def _read(path: str, sha256: str) -> dict[str, Tensor]:
    """Return the tensors of a file by name; check its content against `sha256`, if given."""
    held = _mapping(_unpacked(path, sha256))
    while inside := next((held[key] for key in INSIDE if isinstance(held.get(key), dict)), None):
        held = _mapping(inside)
    tensors = {
        name: value
        for name, value in held.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if not tensors:
        raise UsageError(
            f"weights {path}: contains no named tensors; give a state dict of this network"
        )
    return tensors


def _mapping(value: object) -> dict[object, object]:
    return cast("dict[object, object]", value) if isinstance(value, dict) else {}


def _unpacked(path: str, sha256: str) -> object:
    """Return the object in a file of weights. Raises `UsageError` if it cannot be read."""
    try:
        content = regular(Path(path)).read_bytes()
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            raise UsageError(
                f"weights {path}: its content has changed since it was first read (sha256"
                f" {sha256[:12]}); start again"
            )
        if path.endswith(".safetensors"):
            return load(content)
        return torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except OSError as error:
        raise UsageError(
            f"weights {path}: {error.strerror or error}; give the file of a state dict"
        ) from error
    except UsageError:
        raise
    except pickle.UnpicklingError as error:  # PyTorch's own message advises to load it unsafely
        raise UsageError(
            f"weights {path}: holds more than tensors, or is not a PyTorch file; it is not opened,"
            " as it could run code. Save the state dict alone, best as .safetensors"
        ) from error
    except (
        EOFError,
        SafetensorError,
        AttributeError,
        RuntimeError,
        ValueError,
        LookupError,
    ) as error:
        raise UsageError(f"weights {path}: damaged or incomplete; copy it again") from error


def _unprefixed(tensors: dict[str, Tensor], wanted: set[str]) -> tuple[dict[str, Tensor], str]:
    """Strip common prefixes until a name matches a wanted one; return tensors and prefix.

    Tensors without the prefix are dropped.
    """
    seen = ""
    while not wanted & tensors.keys():
        prefix = next((p for p in PREFIXES if any(name.startswith(p) for name in tensors)), None)
        if prefix is None:
            break
        tensors = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        seen += prefix
    if not seen and tensors and not wanted & tensors.keys():
        seen = next(iter(tensors)).partition(".")[0] + "."
    return tensors, seen
