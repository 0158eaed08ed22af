"""Arithmetic of a training: TF32 and deterministic kernels.

Global settings are restored after the training.
"""

import os
import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import torch

from msaf_bench.records import BIT_FOR_BIT
from msaf_bench.spec import Conditions

#: cuBLAS is deterministic with a workspace of this size (NVIDIA's documentation)
WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
_UNABLE = re.compile(r"(\S+) does not have a deterministic implementation")


class Determinism:
    """Extent to which equal seeds give equal numbers; complete once a training has finished."""

    def __init__(self, device: str, *, asked: bool) -> None:
        self.device, self.asked = device, asked
        self.unable: list[str] = []  #: operations without a deterministic kernel, in order

    def text(self) -> str:
        """Return the level of determinism in a few words, for the record."""
        if self.unable:
            return f"asked for; not deterministic: {', '.join(dict.fromkeys(self.unable))}"
        if self.asked:
            return "asked for"
        return "not asked for" if self.device.startswith("cuda") else BIT_FOR_BIT


@contextmanager
def arithmetic(conditions: Conditions, device: str) -> Generator[Determinism]:
    """Set TF32 and deterministic kernels inside the block, according to the conditions.

    Default for matrix products and convolutions: fp32 without TF32, non-deterministic kernels
    allowed.
    """
    with _tf32(allowed=conditions.precision == "tf32"):
        determinism = Determinism(device, asked=conditions.deterministic)
        if not conditions.deterministic:
            yield determinism
            return
        with _deterministic(), _heard(determinism.unable):
            yield determinism


@contextmanager
def _tf32(*, allowed: bool) -> Generator[None]:
    # Not `fp32_precision`: torch reads `allow_tf32` itself and refuses a mixture of the two.
    products, cudnn = torch.backends.cuda.matmul, cast("Any", torch.backends.cudnn)
    before = products.allow_tf32, cudnn.allow_tf32
    products.allow_tf32 = cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        products.allow_tf32, cudnn.allow_tf32 = before


@contextmanager
def _deterministic() -> Generator[None]:
    cudnn = torch.backends.cudnn
    asked = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    before = cudnn.deterministic, cudnn.benchmark
    os.environ.setdefault(*WORKSPACE)  # read at the first matrix product
    torch.use_deterministic_algorithms(True, warn_only=True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(asked, warn_only=warned)
        cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def _heard(unable: list[str]) -> Generator[None]:
    """Collect operations from torch's warnings of non-determinism; show other warnings as usual."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", message=f".*{_UNABLE.pattern}")
        show = warnings.showwarning

        def listen(message: Warning | str, *rest: object, **named: object) -> None:
            if found := _UNABLE.search(str(message)):
                unable.append(found[1])
            else:
                show(message, *rest, **named)  # pyright: ignore[reportArgumentType]

        warnings.showwarning = listen
        yield
