"""How the numbers of a training are computed: TF32 or not, deterministic kernels or not. What is
set here for a training is put back after it.
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
    """How far equal seeds give equal numbers; `text` says it once a training is done."""

    def __init__(self, device: str, *, asked: bool) -> None:
        self.device, self.asked = device, asked
        self.unable: list[str] = []  #: operations without a deterministic kernel, in order

    def text(self) -> str:
        """Return the level in a few words, for the record."""
        if self.unable:
            return f"asked for; not deterministic: {', '.join(dict.fromkeys(self.unable))}"
        if self.asked:
            return "asked for"
        return "not asked for" if self.device.startswith("cuda") else BIT_FOR_BIT


@contextmanager
def arithmetic(conditions: Conditions, device: str) -> Generator[Determinism]:
    """Compute as the conditions say: fp32 without TF32, products and convolutions alike, unless
    they ask for it; deterministic where they ask for it.
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
    # Not `fp32_precision`: torch's own code that reads these refuses a mixture of both.
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
    os.environ.setdefault(*WORKSPACE)  # read when the first product is computed
    torch.use_deterministic_algorithms(True, warn_only=True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(asked, warn_only=warned)
        cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def _heard(unable: list[str]) -> Generator[None]:
    """Collect the operations that torch warns of; other warnings are shown as ever."""
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
