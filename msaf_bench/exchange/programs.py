"""Export of a network as a program that runs without this project: torch.export or ONNX.

The file is read back and its logits are compared with the network's before it gets its name.
Shapes: B batch, T frames, K classes, H W image.
"""

import copy
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from msaf_bench.analyzers.cost.system import outside_of
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data.transforms import MEAN, STD
from msaf_bench.errors import BenchError, GateError, HostError, UsageError, host_fault, text_of
from msaf_bench.files import replacing
from msaf_bench.foreign import to_stderr

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Call = Callable[[Tensor], Tensor]  #: clip (B, T, 3, H, W) -> logits (B, K, H, W)

FORMATS = {".pt2": "torch.export", ".onnx": "ONNX"}  #: name of the format, by suffix
NEEDED = {".onnx": ("onnx", "onnxscript", "onnxruntime")}  #: required packages, by suffix
ABOUT = "msaf-bench.json"  #: name of the metadata in a .pt2 file
CLIPS = 2  #: number of random clips in the comparison
#: share of the largest logit; float32 rounds at 1e-7, and fused operators change the order of sums
TOLERANCE = 1e-3
AGREEMENT = 99.9  #: least percentage of pixels with the same class
LARGEST_BATCH = 64  #: upper limit of a dynamic batch


@dataclass(frozen=True)
class Program:
    """An exported program and its comparison with the network."""

    path: Path
    size: tuple[int, int]
    batch: int | None  #: clips per call; None for any number up to `LARGEST_BATCH`
    frames: int
    difference: float  #: largest difference of logits, relative to the largest logit
    agreement: float  #: percentage of pixels with the same class


def export(
    net: VideoNetwork,
    path: str | Path,
    *,
    size: tuple[int, int],
    batch: int | None = 1,
    about: Mapping[str, object] | None = None,
) -> Program:
    """Write a network's clip mode as a program: torch.export for `.pt2`, ONNX for `.onnx`.

        mb.export(net, "msaf.onnx", size=(512, 1024))

    The program maps a clip (B, T, 3, H, W), oldest frame first and normalised, to logits
    (B, K, H, W) of the newest frame. It is read back and compared with the network on random clips.

    Args:
        net: A network of this project. A copy on the CPU is exported, in evaluation mode.
        path: File with the suffix `.pt2` or `.onnx`; an existing file is replaced.
        size: H and W of a frame.
        batch: Number of clips per call; None for any number up to 64.
        about: Metadata for the file, beside frames, size and normalisation.

    Raises:
        UsageError: The suffix is unknown, or the network cannot be exported at all or at this size.
        GateError: The program's logits differ from the network's; nothing is written.
        HostError: A package is missing, or the file cannot be written.
    """
    path = Path(path)
    check_format(path)
    if outside := outside_of(net):
        raise UsageError(
            f"{outside[0]} is computed outside torch, so a program cannot contain it; export a"
            " system without it, such as msaf-r50"
        )
    clips = net.frames, 3, *size
    example = torch.randn(batch or 2, *clips, generator=torch.Generator().manual_seed(0))
    told = {**(about or {}), **metadata(net, size, batch)}
    with torch.no_grad(), to_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporters warn about their own code
        module = _ClipLogits(copy.deepcopy(net).cpu().eval())
        _check_runs(module, example)
        program = _exported(module, example, any_batch=batch is None)
        with replacing(path, path.suffix) as temporary:
            run = _written(program, temporary, path.suffix, told)
            difference, agreement = compared(module, run, example)
            if not (difference <= TOLERANCE and agreement >= AGREEMENT):
                raise GateError(
                    f"{path} is not written: its logits differ from the network's by"
                    f" {difference:.1e} of the largest logit (limit {TOLERANCE:g}), and"
                    f" {agreement:.2f} % of the pixels have the same class (minimum {AGREEMENT})"
                )
    return Program(path, size, batch, net.frames, difference, agreement)


def check_format(path: Path) -> None:
    """Check a file's suffix and the packages of its format.

    Raises `UsageError` if the suffix is unknown, and `HostError` if a package is missing.
    """
    if path.suffix not in FORMATS:
        known = " or ".join(f"{suffix} ({name})" for suffix, name in FORMATS.items())
        raise UsageError(f"--to {path}: unknown format; give a name that ends in {known}")
    missing = [name for name in NEEDED.get(path.suffix, ()) if find_spec(name) is None]
    if missing:
        raise HostError(
            f"--to {path}: {', '.join(missing)} not installed; pip install 'msaf-bench[export]'"
        )


def metadata(net: VideoNetwork, size: tuple[int, int], batch: int | None) -> dict[str, object]:
    """Return the description of a program's input and output."""
    return {
        "input": "clip (B, T, 3, H, W) float32, RGB, oldest frame first, (x / 255 - mean) / std",
        "output": "logits (B, K, H, W) of the newest frame",
        "frames": net.frames,
        "size": list(size),
        "batch": batch or "any",
        "mean": list(MEAN),
        "std": list(STD),
    }


def compared(network: Call, program: Call, example: Tensor) -> tuple[float, float]:
    """Compare a program with its network on random clips.

    Returns the largest difference of logits relative to the largest logit, and the percentage of
    pixels with the same class.
    """
    generator = torch.Generator().manual_seed(1)
    difference, same, pixels = 0.0, 0, 0
    for _ in range(CLIPS):
        clip = torch.randn(example.shape, generator=generator)
        ours, theirs = network(clip), program(clip)
        if ours.shape != theirs.shape or not bool(torch.isfinite(theirs).all()):
            return float("inf"), 0.0
        difference = max(difference, float((ours - theirs).abs().max() / ours.abs().max()))
        equal = ours.argmax(1) == theirs.argmax(1)
        same, pixels = same + int(equal.sum()), pixels + equal.numel()
    return difference, 100 * same / pixels


class _ClipLogits(nn.Module):
    """A network as a function from a clip to logits."""

    def __init__(self, net: VideoNetwork) -> None:
        super().__init__()
        self.net = net

    def forward(self, clip: Tensor) -> Tensor:
        return self.net(clip).logits


def _check_runs(module: nn.Module, example: Tensor) -> None:
    try:
        module(example)
    except BenchError:
        raise
    except Exception as error:
        if host_fault(error) or isinstance(error, MemoryError):
            raise
        h, w = example.shape[-2:]
        raise UsageError(
            f"--size {h}x{w}: the network cannot take this size ({text_of(error)}); try another"
        ) from error


def _exported(module: nn.Module, example: Tensor, *, any_batch: bool) -> "ExportedProgram":
    from torch.export import Dim, export

    batch = {"clip": {0: Dim("batch", min=1, max=LARGEST_BATCH)}} if any_batch else None
    try:
        return export(module, (example,), dynamic_shapes=batch, strict=False)
    except Exception as error:
        fixed = "; try it without --dynamic" if any_batch else ""
        raise UsageError(
            f"torch.export cannot trace this network: {text_of(error)}{fixed}"
        ) from error


def _written(
    program: "ExportedProgram", path: Path, suffix: str, about: Mapping[str, object]
) -> Call:
    try:
        return WRITERS[suffix](program, path, about)
    except Exception as error:
        if host_fault(error) or isinstance(error, OSError | MemoryError):
            raise
        raise UsageError(
            f"{FORMATS[suffix]} cannot represent this network: {text_of(error)}"
        ) from error


def _write_torch(program: "ExportedProgram", path: Path, about: Mapping[str, object]) -> Call:
    """Write a .pt2 file and return its function, read back from the file."""
    torch.export.save(program, path, extra_files={ABOUT: json.dumps(about)})
    return cast("Call", torch.export.load(path).module())


def _write_onnx(program: "ExportedProgram", path: Path, about: Mapping[str, object]) -> Call:
    """Write an ONNX file and return its function, run by ONNX Runtime."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it reports that torchvision is absent
    onnxruntime: Any = import_module("onnxruntime")
    made: Any = torch.onnx.export(program, dynamo=True, verbose=False)
    for name, value in about.items():
        made.model.metadata_props[name] = value if isinstance(value, str) else json.dumps(value)
    made.save(path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda clip: torch.from_numpy(session.run(None, {name: clip.numpy()})[0])


WRITERS = {".pt2": _write_torch, ".onnx": _write_onnx}
