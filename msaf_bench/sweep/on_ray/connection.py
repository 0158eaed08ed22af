# pyright: basic
"""Joins a Ray cluster, or starts one on this machine.

A cluster of our own answers on 127.0.0.1 alone and asks for a token that only its own processes
know.
"""

import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from msaf_bench.errors import HostError
from msaf_bench.files import lives
from msaf_bench.inherited import environment
from msaf_bench.sweep.executors import Cluster

#: no usage report, no logger files, and Ctrl-C stays ours
VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
#: a cluster of our own asks for a token, and its workers are as nice as this process
OWN = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32),
    "RAY_worker_niceness": "0",
}

# Ray reads some when it is imported, which happens here: the package imports this module first.
with environment(VARIABLES):
    import ray
    from ray._private import ray_constants
    from ray._raylet import Config  # pyright: ignore[reportAttributeAccessIssue]

#: options of a connection: Ray's own errors are told by us, in one line
QUIET = {"log_to_driver": False, "logging_level": logging.CRITICAL}
REACH_S = 5  #: to reach a cluster's address
FOLDER = "msaf-bench-ray-"  #: of what Ray writes; the process's number and a random word follow
#: bytes of that folder's path: those of a socket's path, without what Ray appends
LONGEST = 103 - 63
START = (
    "start one with `ray start --head`, or set RAY_AUTH_MODE=token for one that asks for a token"
)


@contextmanager
def connected(cluster: Cluster, cores: int) -> Generator[Path]:
    """Keep this process connected to a cluster whose trials keep so many cores busy; return a
    folder for what Ray writes, removed at the end.

    Raises `HostError` for a cluster that cannot be reached or started.
    """
    variables = VARIABLES if cluster.address else VARIABLES | OWN
    with environment(variables), scratch() as folder:
        try:
            _join(cluster, cores, folder)
            yield folder
        finally:
            # a sweep that was stopped half-way may have lost its connection
            with suppress(OSError):
                ray.shutdown()


@contextmanager
def scratch() -> Generator[Path]:
    """Make a folder for what Ray writes, removed at the end; those that killed processes left are
    removed first.

    Raises `HostError` where no temporary folder has a path that is short enough for Ray's sockets.
    """
    name = f"{FOLDER}{os.getpid()}-{secrets.token_hex(3)}"
    bases = [Path(tempfile.gettempdir()), Path("/tmp")]
    short = [
        base
        for base in bases
        if len(os.fsencode(base / name)) <= LONGEST and os.access(base, os.W_OK)
    ]
    if not short:
        raise HostError(
            f"the temporary folder {bases[0]} has too long a path for Ray's sockets; set"
            " TMPDIR=/tmp, or add --on local"
        )
    for old in short[0].glob(f"{FOLDER}*"):
        process = old.name.removeprefix(FOLDER).partition("-")[0]
        if process.isdigit() and not lives(int(process)):
            shutil.rmtree(old, ignore_errors=True)
    folder = short[0] / name
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise HostError(
            f"cannot write {folder}: {error.strerror}; set TMPDIR to a folder that can be written"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _join(cluster: Cluster, cores: int, folder: Path) -> None:
    ours = signal.getsignal(signal.SIGTERM)
    try:
        if cluster.address is None:
            _start(cluster, cores, folder)
        else:
            _connect(cluster.address)
    finally:
        # Ray's own handler prints a stack and ends with another exit code
        signal.signal(signal.SIGTERM, ours)


def _start(cluster: Cluster, cores: int, folder: Path) -> None:
    """Start a cluster of our own, for this machine's own ears."""
    Config.initialize("")  # Ray has read its environment before
    ray_constants.ENABLE_RAY_CLUSTER = False  # what makes Ray listen on the loopback interface only
    cpus = cluster.workers * cluster.processes * cores if cluster.workers else None
    ray.init(
        address="local", include_dashboard=False, num_cpus=cpus, _temp_dir=str(folder), **QUIET
    )


def _connect(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), REACH_S).close()
        except OSError as error:
            raise HostError(f"no Ray cluster at {address} ({error}); {START}") from error
    try:
        ray.init(address=address, **QUIET)
    except (ConnectionError, ValueError) as error:
        raise HostError(
            f"no Ray cluster at {address} ({str(error).splitlines()[0]}); {START}"
        ) from error
