# pyright: basic
"""Resources of a trial on a cluster, and the room for its processes on each node."""

from collections.abc import Mapping

import ray

from msaf_bench.errors import UsageError
from msaf_bench.sweep.executors import Cluster
from msaf_bench.sweep.workspace import Setting


def bundle(cluster: Cluster, setting: Setting) -> dict[str, float]:
    """Return the resources reserved by one process of a trial."""
    return {"CPU": setting.cores, "GPU": cluster.gpus / cluster.processes}


def room(cluster: Cluster, setting: Setting) -> dict[str, int]:
    """Return the number of processes that fit on each living node when it is idle, by node id."""
    wanted = {name: count for name, count in bundle(cluster, setting).items() if count}
    return {
        node["NodeID"]: min(
            int(node["Resources"].get(name, 0) / count) for name, count in wanted.items()
        )
        for node in ray.nodes()
        if node["Alive"]
    }


def check_resources(cluster: Cluster, setting: Setting) -> None:
    """Raise `UsageError` if the cluster has no room for a trial.

    Ray itself would wait for ever without a message.
    """
    if setting.device.startswith("cuda") and not cluster.gpus:
        raise UsageError(
            f"--device {setting.device} on Ray needs --gpus-per-trial, such as 1 or 0.5: Ray hides"
            " GPUs that a trial has not requested"
        )
    if sum(room(cluster, setting).values()) >= cluster.processes:
        return
    needs = _text(bundle(cluster, setting))
    nodes = [node for node in ray.nodes() if node["Alive"]]
    lower = "lower --threads, --loader-threads or --gpus-per-trial"
    if cluster.processes == 1:
        largest = max(nodes, key=lambda node: _size(node["Resources"]), default={"Resources": {}})
        raise UsageError(
            f"a trial needs {needs} on one node, but the largest node has"
            f" {_text(largest['Resources'])}; {lower}"
        )
    has = ", ".join(f"{named(node)} has {_text(node['Resources'])}" for node in nodes)
    raise UsageError(
        f"--gpus-per-trial {cluster.gpus:g}: a trial needs {cluster.processes} times {needs}, each"
        f" on one node, but {has}; start more nodes, or {lower}"
    )


def named(node: Mapping[str, str]) -> str:
    """Return a node's host name and address."""
    return f"node {node['NodeManagerHostname']} ({node['NodeManagerAddress']})"


def _size(resources: Mapping[str, float]) -> tuple[float, float]:
    return resources.get("GPU", 0), resources.get("CPU", 0)


def _text(resources: Mapping[str, float]) -> str:
    return f"{resources.get('CPU', 0):g} CPU and {resources.get('GPU', 0):g} GPU"
