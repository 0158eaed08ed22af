# pyright: basic
"""Connection to a Ray cluster, joined or started on this machine.

Our own cluster listens on 127.0.0.1 only, and requires a token known only to its own processes.
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

#: no usage statistics, no log files, and Ctrl-C is left to our own handler
VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
#: our own cluster requires a token, and its workers have the niceness of this process
OWN = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32),
    "RAY_worker_niceness": "0",
}

# Ray reads some of them at import. Therefore the package imports this module before any other.
with environment(VARIABLES):
    import ray
    from ray._private import ray_constants
    from ray._raylet import Config  # pyright: ignore[reportAttributeAccessIssue]

#: options of a connection; we report Ray's errors ourselves, in one line
QUIET = {"log_to_driver": False, "logging_level": logging.CRITICAL}
REACH_S = 5  #: time limit in seconds for reaching a cluster's address
FOLDER = "msaf-bench-ray-"  #: prefix of Ray's folder, followed by process id and a random word
#: maximum bytes of that folder's path: the limit of a socket's path, minus Ray's suffix
LONGEST = 103 - 63
START = "start one with `ray start --head`, or set RAY_AUTH_MODE=token if it requires a token"


@contextmanager
def connected(cluster: Cluster, cores: int) -> Generator[Path]:
    """Connect this process to a cluster inside the block; yield a folder for Ray's files.

    `cores` is the number of cores per process of a trial. The folder is removed at the end. Raises
    `HostError` if the cluster cannot be reached or started.
    """
    variables = VARIABLES if cluster.address else VARIABLES | OWN
    with environment(variables), scratch() as folder:
        try:
            _join(cluster, cores, folder)
            yield folder
        finally:
            # a sweep that was interrupted may have lost its connection
            with suppress(OSError):
                ray.shutdown()


@contextmanager
def scratch() -> Generator[Path]:
    """Make a folder for Ray's files and remove it at the end, with those of killed processes.

    Raises `HostError` if the path of every temporary folder is too long for Ray's sockets.
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
            f"the path of the temporary folder {bases[0]} is too long for Ray's sockets; set"
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
            f"cannot write {folder}: {error.strerror}; set TMPDIR to a writable folder"
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
        # Ray's own handler prints a stack trace and ends with another exit code
        signal.signal(signal.SIGTERM, ours)


def _start(cluster: Cluster, cores: int, folder: Path) -> None:
    """Start our own cluster, reachable only from this machine."""
    Config.initialize("")  # Ray has already read the environment at import
    ray_constants.ENABLE_RAY_CLUSTER = False  # makes Ray listen on the loopback interface only
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
