"""Executor on Ray: the same trials, several at a time, on the nodes of a cluster.

Only this package imports Ray. Ray Tune reserves the resources of a trial, starts it, and restarts
it if a worker or node dies. Each trial writes its own record before Ray hears of it, so Ray's own
files of a run are discarded.
"""

from collections.abc import Sequence

from msaf_bench.errors import BenchError, HostError
from msaf_bench.host import Host, utc_now
from msaf_bench.records import Record, write_record
from msaf_bench.spec import Trial
from msaf_bench.sweep.events import Events
from msaf_bench.sweep.executors import Cluster, Stops
from msaf_bench.sweep.on_ray.connection import connected
from msaf_bench.sweep.on_ray.nodes import check_nodes
from msaf_bench.sweep.on_ray.resources import check_resources, room
from msaf_bench.sweep.on_ray.trials import RETRIES, fit
from msaf_bench.sweep.workspace import Setting
from msaf_bench.train.parallel import check_group


def run_on(
    trials: Sequence[Trial],
    setting: Setting,
    events: Events,
    cluster: Cluster,
    stops: Stops | None = None,
) -> None:
    """Run the trials on Ray; each leaves its record, unless `stops` ends it early.

    If its worker dies, a trial resumes from its newest checkpoint; after several failures it is
    recorded as failed.

    Args:
        trials: Trials to run.
        setting: Folder, device and threads of the trials.
        events: Receives the progress.
        cluster: Ray cluster and resources per trial.
        stops: Rule that stops trials early.

    Raises:
        UsageError: The processes of a trial cannot share its batch, or the cluster lacks a
            resource.
        HostError: The cluster cannot be reached, or a node cannot run these trials.
    """
    for trial in trials:
        check_group(trial.conditions, cluster.processes)
    try:
        with connected(cluster, setting.cores) as scratch:
            check_resources(cluster, setting)
            if cluster.address is not None and trials:
                check_nodes(trials, setting, cluster)
            heard = fit(trials, setting, events, cluster, scratch / "tune", stops)
            ended = heard.finished | heard.stopped
            missing = [trial for trial in trials if trial.id not in ended]
            if missing and not any(room(cluster, setting).values()):
                raise HostError(
                    "Ray: no node of the cluster can run a trial; fix it, then use --resume"
                )
    except BenchError:
        raise
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise HostError(f"Ray: {said[-1].strip()}; use --on local to run without Ray") from error
    for trial in missing:
        lost = _lost(trial, setting, heard.lost.get(trial.id))
        write_record(setting.workspace.records, lost)
        events.finished(lost)


def _lost(trial: Trial, setting: Setting, why: str | None) -> Record:
    """Return the record of a trial that left none."""
    last = "" if why is None else f"; the last time: {why}"
    return Record(
        trial=trial,
        state="failed",
        reason=f"its worker died {RETRIES + 1} times{last}",
        host=Host.here(setting.device, setting.threads),
        ended=utc_now(),
        data="",
        plugins=setting.plugins,
    )
