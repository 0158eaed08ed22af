# pyright: basic
"""Processes of one trial, each with its own GPU.

Rank 0 is the worker started by Tune; the others run in the other bundles reserved by Tune.

This uses torch.distributed over Tune's placement group, not Ray Train. Results with Ray 2.60, a
`TorchTrainer` inside a Tune trial, two processes on two nodes:

- `ray.train.report` waits for all processes, but only rank 0 reports here: nothing arrives.
- If all report, each report waits for the controller's poll: steps of 0.05 s took 0.55 s with
  a poll every 0.5 s, and the default is 2 s.
- According to Ray's source (not tried), Tune does not know the resources of a trainer, so every
  trial starts, and those without room fail after 60 s and start over.

With a placement group of Tune, trials queue for their GPUs, and a lost process is an ordinary
failure that Tune retries.
"""

import fcntl
import os
import socket
import struct
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import NamedTuple

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util import get_current_placement_group, get_node_ip_address
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

from msaf_bench.errors import BenchError, DataError, HostError, UsageError, text_of
from msaf_bench.records import Record
from msaf_bench.spec import Trial
from msaf_bench.sweep.trial import AloneError, run_trial
from msaf_bench.sweep.workspace import Setting
from msaf_bench.train.parallel import PATIENCE, LostError, joined

Message = dict[str, object]
Report = Callable[[Message], None]

#: errors that stop every trial, by name
STOPS_ALL: dict[str, type[BenchError]] = {
    "UsageError": UsageError,
    "DataError": DataError,
    "HostError": HostError,
}
GRACE_S = 20  #: seconds until this process must notice the end of another; with NCCL it cannot
LOST_S = 90  #: seconds until Ray must notice the end of a process with closed connections
SIOCGIFADDR = 0x8915  #: Linux request for the address of a network interface


class Meeting(NamedTuple):
    """Address where the processes of a trial meet, and the rank of one of them."""

    address: str
    port: int
    rank: int
    size: int


def run_in(size: int, trial: Trial, setting: Setting, report: Report) -> Message:
    """Run a trial in this process and `size` - 1 others; return its outcome.

    If this process waits for one that has ended, it ends too.

    Args:
        size: Number of processes.
        trial: Trial to run.
        setting: Folder, device and threads of the trial.
        report: Sends a message to the driver.

    Raises:
        LostError: Another process died or failed alone. The driver has been told, and Tune restarts
            the trial.
    """
    if size == 1:
        return _outcome(partial(_run, trial, setting, report))
    faults, over = SimpleQueue[Message](), Event()
    store, place = _meeting(size)
    others, ends = _start_others(place, trial, setting)
    Thread(target=_watch, args=(ends, faults, over, report), daemon=True).start()
    try:
        return _outcome(partial(_run_at, place, store, trial, setting, report))
    except LostError:
        over.set()
        with suppress(Empty):
            fault = faults.get(timeout=LOST_S)
            if "fatal" in fault:
                return fault
            report(fault)
        raise
    finally:
        over.set()
        for other in others:
            ray.kill(other)


def _outcome(run: Callable[[], Record | None]) -> Message:
    """Return the outcome of a trial: its state, or an error that stops every other trial too."""
    try:
        record = run()
    except AloneError:
        return {"state": "failed"}
    except LostError:
        raise
    except BenchError as error:
        kind = next(name for name, known in STOPS_ALL.items() if isinstance(error, known))
        return {"fatal": kind, "text": str(error)}
    return {"state": record.state if record else "done"}


def _run(trial: Trial, setting: Setting, report: Report) -> Record | None:
    if not setting.workspace.folder.is_dir():
        raise HostError(
            f"a worker on {socket.gethostname()} does not see {setting.workspace.folder}; put"
            " --reports on a shared folder"
        )
    return run_trial(
        trial,
        setting,
        lambda step, loss: report({"step": step, "loss": loss}),
        lambda text: report({"note": text}),
        lambda step, miou: report({"step": step, "validation": miou}),
    )


def _run_at(
    place: Meeting, store: TCPStore, trial: Trial, setting: Setting, report: Report
) -> Record | None:
    with _at(place, store, setting) as own:
        return _run(trial, own, report)


@ray.remote
class Other:
    """A process of a trial with a rank other than 0."""

    def run(self, place: Meeting, trial: Trial, setting: Setting) -> Message:
        """Train with the others; return the outcome."""
        store = TCPStore(place.address, place.port, place.size, timeout=PATIENCE)
        return _outcome(partial(_run_at, place, store, trial, setting, lambda message: None))


def _watch(
    waiting: list[ray.ObjectRef], faults: SimpleQueue[Message], over: Event, report: Report
) -> None:
    """Wait for the other processes to end.

    If one fails and this process does not notice, this process ends too.
    """
    while waiting:
        ended, waiting = ray.wait(waiting)
        if fault := _fault(ended[0]):
            faults.put(fault)
            if not over.wait(GRACE_S):
                report(fault)
                os._exit(1)
            return


def _fault(ended: ray.ObjectRef) -> Message | None:
    """Return why another process failed; None if it did not, or failed because of a third one."""
    try:
        message = ray.get(ended)
    except LostError:
        return None
    except RayTaskError as error:
        cause = error.cause
        return {
            "lost": f"another of its processes failed: {type(cause).__name__}: {text_of(cause)}"
        }
    except RayError:
        return {"lost": "another of its processes died"}
    return message if "fatal" in message else None


def _meeting(size: int) -> tuple[TCPStore, Meeting]:
    """Open the meeting point of a trial's processes, on this node's own address only."""
    address = get_node_ip_address()
    listener = socket.create_server((address, 0))
    port = listener.getsockname()[1]
    store = TCPStore(
        address,
        port,
        size,
        is_master=True,
        timeout=PATIENCE,
        wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )
    return store, Meeting(address, port, 0, size)


def _start_others(place: Meeting, trial: Trial, setting: Setting) -> tuple[list, list]:
    """Start the other processes in their reserved bundles; return them and their futures."""
    reserved = get_current_placement_group()
    if reserved is None:
        raise HostError("Ray has not reserved resources for the other processes of a trial")
    others, ends = [], []
    for rank in range(1, place.size):
        bundle = reserved.bundle_specs[rank]
        other = Other.options(
            num_cpus=bundle.get("CPU", 0),
            num_gpus=bundle.get("GPU", 0),
            scheduling_strategy=PlacementGroupSchedulingStrategy(reserved, rank),
        ).remote()
        others.append(other)
        ends.append(other.run.remote(place._replace(rank=rank), trial, setting))
    return others, ends


@contextmanager
def _at(place: Meeting, store: TCPStore, setting: Setting) -> Generator[Setting]:
    """Join the process group of a trial inside the block; yield the setting of this process."""
    if name := _interface(get_node_ip_address()):
        for library in ("GLOO", "NCCL"):
            os.environ.setdefault(f"{library}_SOCKET_IFNAME", name)
    with joined(setting.device, store, place.rank, place.size) as device:
        yield replace(setting, device=device)


def _interface(address: str) -> str:
    """Return the network interface with an address; empty if not found.

    By default, torch takes the interface of the host's name, which may be outside the cluster's
    network.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            asked = struct.pack("256s", name.encode())
            with suppress(OSError):
                answer = fcntl.ioctl(any_socket, SIOCGIFADDR, asked)
                if socket.inet_ntoa(answer[20:24]) == address:
                    return name
    return ""
