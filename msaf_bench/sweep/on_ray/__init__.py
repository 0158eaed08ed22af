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
from msaf_bench.sweep.on_ray.resources import check_resources
from msaf_bench.sweep.on_ray.trials import RETRIES, fit
from msaf_bench.sweep.workspace import Setting


def run_on(
    trials: Sequence[Trial],
    setting: Setting,
    events: Events,
    cluster: Cluster,
    stops: Stops | None = None,
) -> None:
    """Run the trials; each leaves its record, except for those that `stops` ends early. A trial
    whose worker dies is tried again from its newest checkpoint, then recorded as failed.

    Raises `UsageError` for a resource that the cluster does not have, `HostError` for a cluster
    that is not there and a node that cannot run these trials.
    """
    try:
        with connected(cluster, setting.cores) as scratch:
            check_resources(cluster, setting)
            if cluster.address is not None and trials:
                check_nodes(trials[0], setting, cluster)
            heard = fit(trials, setting, events, cluster, scratch / "tune", stops)
    except BenchError:
        raise
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise HostError(f"Ray: {said[-1].strip()}; --on local does without it") from error
    for trial in trials:
        if trial.id not in heard.finished | heard.stopped:
            why = f"; the last time: {heard.lost[trial.id]}" if trial.id in heard.lost else ""
            lost = Record(
                trial=trial,
                state="failed",
                reason=f"its worker died {RETRIES + 1} times{why}",
                host=Host.here(setting.device, setting.threads),
                ended=utc_now(),
                data="",
                plugins=setting.plugins,
            )
            write_record(setting.workspace.records, lost)
            events.finished(lost)
