"""The Ray executor: the same trials, several at a time, over the nodes of a cluster. Nothing else
imports Ray.

Ray only executes. Ray Tune reserves what a trial needs, starts it, and starts it again where a
worker or a node dies. Each trial writes its own record before Ray hears of it, so what Ray keeps
of a run is thrown away.
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
    """Run the trials; each leaves its record, except for those that `stops` ends early. A trial
    whose worker dies is tried again from its newest checkpoint, then recorded as failed.

    Raises `UsageError` for a batch that the processes of a trial cannot share and a resource that
    the cluster does not have, `HostError` for a cluster that is not there and a node that cannot
    run these trials.
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
                    "Ray: the cluster has no node left for a trial; mend it, then --resume"
                )
    except BenchError:
        raise
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise HostError(f"Ray: {said[-1].strip()}; --on local does without it") from error
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
