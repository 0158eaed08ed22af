"""Two nodes on this machine, with GPUs that are only said to be there: sweeps and trials over both,
and what becomes of them where a node dies.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from forked import blank_figures

from msaf_bench.cli import main
from msaf_bench.records import read_records

ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",  # until Ray ends what has lost its head node
}
SMALL = [
    "ablate", "--table", "3", "--preset", "smoke", "--set", "batch=4", "--set",
    "steps=6", "--set", "checkpoint_every=2", "--speed", "0", "--no-controls", "--no-pictures",
]  # fmt: skip
NODES = """
import json, sys
from ray.cluster_utils import Cluster

lean = {
    "num_cpus": 2,
    "num_gpus": 2,
    "include_dashboard": False,
    "object_store_memory": 80 * 2**20,
}
cluster = Cluster(initialize_head=True, head_node_args=lean)
second = cluster.add_node(**lean)
cluster.wait_for_nodes()
print(json.dumps([cluster.address, cluster.head_node.node_id, second.node_id]), flush=True)
for line in sys.stdin:
    if line == "kill\\n":
        cluster.remove_node(second, allow_graceful=False)
    elif line == "add\\n":
        second = cluster.add_node(**lean)
    print(json.dumps(second.node_id), flush=True)
cluster.shutdown()
"""
# Says where each trial is and how far; on the node that the file "stop" names it stops before its
# end, when its first checkpoint has been written.
WATCHED = """
import os, time
from pathlib import Path

def register(registry):
    if "RAY_JOB_ID" not in os.environ:
        return
    import ray
    from msaf_bench.sweep import trial

    plain, here = trial.train, Path("HERE")

    def train(*given, folder, on_step, **options):
        node = ray.get_runtime_context().get_node_id()

        def say(step):
            with (here / "heard").open("a") as file:
                file.write(f"{folder.name} {node} {step}\\n")

        def heard(step, loss):
            say(step)
            stop = (here / "stop").read_text()
            if step == 4 and stop in (node, "first") and not (here / "stopped").exists():
                (here / "stopped").touch()
                while (here / "stop").read_text():
                    time.sleep(0.1)
            on_step(step, loss)

        say(0)
        return plain(*given, folder=folder, on_step=heard, **options)

    if trial.train.__name__ != "heard_train":
        train.__name__ = "heard_train"
        trial.train = train
"""


class Nodes:
    """The cluster, in a process of its own."""

    def __init__(self, process):
        self.process = process
        self.address, self.head, self.second = json.loads(process.stdout.readline())

    def tell(self, word):
        """Tell the process to do something, and wait until it is done."""
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        self.second = json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def starting():
    """The process of the cluster, which starts it while other things are done."""
    with subprocess.Popen(
        [sys.executable, "-c", NODES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        try:
            yield process
            process.communicate()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def plain(starting, tmp_path_factory):
    """A run of two seeds by the plain loop."""
    folder = tmp_path_factory.mktemp("plain")
    two = ["--rows", "Baseline", "--seeds", "2"]
    with blank_figures():
        assert main([*SMALL, *two, "--on", "local", "--reports", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def nodes(starting, plain):
    return Nodes(starting)


def started(nodes, tmp_path, stop, *more):
    """A sweep over the nodes that stops its trials at the node `stop`, or the first trial."""
    (tmp_path / "watched.py").write_text(WATCHED.replace("HERE", str(tmp_path)))
    (tmp_path / "stop").write_text(stop)
    over = ["--address", nodes.address, "--plugin", "watched", "--reports", str(tmp_path / "run")]
    return subprocess.Popen(
        [sys.executable, "-m", "msaf_bench", *SMALL, *more, "--on", "ray", *over],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
        cwd=tmp_path,  # the plug-in lies in the working folder alone
    )


def heard(tmp_path):
    """(trial, node, step) of all that was trained, in order."""
    lines = (tmp_path / "heard").read_text().splitlines()
    return [(trial, node, int(step)) for trial, node, step in map(str.split, lines)]


def wait_for(path, process):
    while process.poll() is None and not path.exists():
        time.sleep(0.1)


def check_went_on(steps):
    """A trial that was stopped after step 4 was not begun again."""
    again = steps[steps.index(4) + 1 :]
    assert steps[: -len(again)][-2:] == [2, 4]
    assert again[0] == 0
    assert again[-1] == 6
    assert 2 not in again


def check_same_losses(together, alone):
    """One seed in several processes learnt what it learnt in one."""
    alone, together = read_records(alone / "records"), read_records(together / "records")
    assert len(together) == 1
    for name, record in together.items():
        assert record.state == "done"
        steps, losses = zip(*record.loss, strict=True)
        alone_steps, alone_losses = zip(*alone[name].loss, strict=True)
        assert steps == alone_steps
        assert losses == pytest.approx(alone_losses, rel=1e-4)


@pytest.mark.slow
def test_a_sweep_goes_over_both_nodes_and_its_trials_go_on_where_one_is_killed(
    nodes, tmp_path, plain
):
    # A trial takes both CPUs of a node, so that there is one on each.
    two = ["--rows", "Baseline", "--seeds", "2", "--loader-threads", "1"]
    with started(nodes, tmp_path, nodes.second, *two) as sweep:
        wait_for(tmp_path / "stopped", sweep)
        nodes.tell("kill")
        said = sweep.communicate()[0]
    assert sweep.returncode == 0, said
    assert "Traceback" not in said
    assert "trying again" in said
    trained = heard(tmp_path)
    assert {node for _, node, _ in trained} == {nodes.head, nodes.second}
    killed = next(trial for trial, node, _ in trained if node == nodes.second)
    check_went_on([step for trial, _, step in trained if trial == killed])
    assert (tmp_path / "run" / "table3.csv").read_text() == (plain / "table3.csv").read_text()
    nodes.tell("add")


@pytest.mark.slow
def test_one_trial_over_both_nodes_learns_what_one_process_does(nodes, tmp_path, plain):
    four = ["--rows", "MSAF", "--seeds", "1", "--gpus-per-trial", "4"]
    with started(nodes, tmp_path, "", *four) as sweep:
        said = sweep.communicate()[0]
    assert sweep.returncode == 0, said
    assert "Traceback" not in said
    assert {node for _, node, _ in heard(tmp_path)} == {nodes.head, nodes.second}
    check_same_losses(tmp_path / "run", plain)


@pytest.mark.slow
def test_a_trial_that_needs_both_nodes_waits_for_another_one_and_goes_on_there(
    nodes, tmp_path, plain
):
    # Each of two processes takes both CPUs of a node. The one that speaks stops.
    two = ["--rows", "MSAF", "--seeds", "1", "--gpus-per-trial", "2", "--loader-threads", "1"]
    with started(nodes, tmp_path, "first", *two) as sweep:
        wait_for(tmp_path / "stopped", sweep)
        nodes.tell("kill")
        nodes.tell("add")  # takes longer than the other processes take to die
        (tmp_path / "stop").write_text("")
        said = sweep.communicate()[0]
    assert sweep.returncode == 0, said
    assert "Traceback" not in said
    assert "trying again" in said
    trained = heard(tmp_path)
    assert len({node for _, node, _ in trained}) == 3
    check_went_on([step for trial, _, step in trained if trial == trained[0][0]])
    check_same_losses(tmp_path / "run", plain)


@pytest.mark.slow
def test_a_cluster_that_goes_away_under_a_sweep_leaves_no_traceback(nodes, tmp_path):
    one = ["--rows", "MSAF", "--seeds", "1"]
    with started(nodes, tmp_path, "first", *one) as sweep:
        wait_for(tmp_path / "stopped", sweep)
        nodes.process.communicate()  # the last test of the module: the cluster ends
        said = sweep.communicate()[0]
    # 5 where a node's end is heard before that of the head; else Ray itself ends the process with 1
    assert sweep.returncode in (1, 5), said
    assert "Traceback" not in said
    assert not list((tmp_path / "run").glob("records/*.json"))  # none is taken to have failed
