"""Inherited environment variables with an effect here.

`doctor` lists all of them; a sweep lists those that concern it.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager

RAY: Mapping[str, str] = {
    "RAY_ADDRESS": "ignored: use --address to join a cluster",
    **{
        name: "not used between Ray's processes"
        for proxy in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
        for name in (proxy, proxy.upper())
    },
}
CUDA: Mapping[str, str] = {
    "CUDA_VISIBLE_DEVICES": "limits the available GPUs, renumbered from 0",
    "NVIDIA_TF32_OVERRIDE": "changes the precision of computation on a GPU",
}
ANYWHERE: Mapping[str, str] = {
    "OMP_NUM_THREADS": "overridden by --threads",
    "MKL_NUM_THREADS": "overridden by --threads",
    "MPLBACKEND": "ignored: figures are drawn to files",
    "PYTHONPATH": "its modules take precedence over installed ones",
    "TMPDIR": "holds temporary files of Ray and flow estimation",
}


def inherited(what: Mapping[str, str]) -> list[str]:
    """Return the variables in `what` that are set, each with its value and its effect here."""
    return [
        f"{name}={value} is inherited ({means})"
        for name, means in what.items()
        if (value := os.environ.get(name)) is not None
    ]


def process_rank() -> int | None:
    """Return the rank of this process among those started by torchrun or a similar launcher.

    None if the command runs in one process.
    """
    known = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()
    return int(os.environ["RANK"]) if known and os.environ["WORLD_SIZE"] != "1" else None


@contextmanager
def environment(variables: Mapping[str, str]) -> Generator[None]:
    """Set variables of this process inside the block, and restore its environment afterwards."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
