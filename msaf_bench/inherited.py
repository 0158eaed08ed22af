"""Variables that a process inherits and that matter here: `doctor` says them all, a sweep those
that touch it.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager

RAY: Mapping[str, str] = {
    "RAY_ADDRESS": "not joined: --address joins a cluster",
    **{
        name: "Ray's processes reach each other past it"
        for proxy in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
        for name in (proxy, proxy.upper())
    },
}
CUDA: Mapping[str, str] = {
    "CUDA_VISIBLE_DEVICES": "the GPUs that can be used, counted from 0 again",
    "NVIDIA_TF32_OVERRIDE": "changes the precision of numbers on a GPU",
}
ANYWHERE: Mapping[str, str] = {
    "OMP_NUM_THREADS": "--threads decides in its place",
    "MKL_NUM_THREADS": "--threads decides in its place",
    "MPLBACKEND": "not used: figures are drawn to files",
    "PYTHONPATH": "modules from there are found before installed ones",
    "TMPDIR": "takes what Ray and flow estimation write for a while",
}


def inherited(what: Mapping[str, str]) -> list[str]:
    """The variables of `what` that are set, each with its value and what it does here."""
    return [
        f"{name}={value} is inherited ({means})"
        for name, means in what.items()
        if (value := os.environ.get(name)) is not None
    ]


def process_rank() -> int | None:
    """Return the number of this process among those that torchrun, or its like, has started for one
    command; None where there is no other.
    """
    known = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()
    return int(os.environ["RANK"]) if known and os.environ["WORLD_SIZE"] != "1" else None


@contextmanager
def environment(variables: Mapping[str, str]) -> Generator[None]:
    """Set variables of this process; afterwards its environment is as it was."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
