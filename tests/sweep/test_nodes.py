"""What is checked of the nodes of a cluster before any training."""

import socket
from functools import partial
from queue import SimpleQueue
from threading import Event

import pytest
from ray.exceptions import ActorDiedError, GetTimeoutError

from msaf_bench.catalog import read_conditions, read_system
from msaf_bench.cli import main
from msaf_bench.errors import HostError
from msaf_bench.spec import Trial
from msaf_bench.sweep.executors import Cluster
from msaf_bench.sweep.on_ray import connection, nodes, processes
from msaf_bench.sweep.on_ray.nodes import Findings, check_nodes, differences, found_here
from msaf_bench.sweep.workspace import Setting, Workspace

HERE = Findings({"msaf-bench": "0.1.0 abc", "torch": "2.13.0"}, "1f/2e", ())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        (
            {"software": {"msaf-bench": "0.1.0 abc", "torch": "2.11.0"}},
            "torch is 2.11.0, here 2.13.0; install the same on all nodes",
        ),
        (
            {"software": {"msaf-bench": "0.1.0 ffff", "torch": "2.13.0"}},
            "msaf-bench is 0.1.0 ffff, here 0.1.0 abc; install the same on all nodes",
        ),
        ({"data": "1f/99"}, "--root holds different data (1f/99, here 1f/2e); use a shared folder"),
        ({"data": "", "faults": ("--root /d: no such folder",)}, "--root /d: no such folder"),
    ],
)
def test_a_node_that_differs_is_told_by_key_and_remedy(changes, said):
    found = differences(HERE, HERE._replace(**changes))
    assert len(found) == bool(said)
    assert not said or found[0].startswith(said)


@pytest.fixture
def trial():
    conditions = read_conditions("smoke", "street")
    return Trial(system=read_system("msaf-r18"), conditions=conditions, seed=0)


@pytest.fixture
def setting(tmp_path):
    return Setting(Workspace(tmp_path))


@pytest.mark.slow
def test_this_machine_is_like_itself(trial, setting, tmp_path):
    with nodes._probe(tmp_path) as probe:
        found = found_here(trial, [], setting, probe)
    assert not found.faults
    assert found.data
    assert found.software.keys() == {"msaf-bench", "torch"}
    assert not differences(found, found_here(trial, [], setting, tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_folder_of_reports_that_a_node_does_not_see_or_write_is_named(
    trial, setting, tmp_path, monkeypatch
):
    monkeypatch.setattr(nodes, "SEEN_S", 0)
    (fault,) = found_here(trial, [], setting, tmp_path / "probe").faults
    assert fault == f"--reports {tmp_path} is not visible; use a shared folder"

    def refused(self, *_):
        raise PermissionError(13, "Permission denied", str(self))

    with nodes._probe(tmp_path) as probe:
        monkeypatch.setattr(nodes.Path, "touch", refused)
        (fault,) = found_here(trial, [], setting, probe).faults
    assert fault.startswith(f"--reports {tmp_path} is not writable (Permission denied)")


def test_weights_that_a_node_does_not_see_are_named(trial, setting, tmp_path):
    with nodes._probe(tmp_path) as probe:
        (fault,) = found_here(trial, ["/nowhere/r50.pth"], setting, probe).faults
    assert fault == "weights /nowhere/r50.pth are not visible; put them in a shared folder"


def test_a_plug_in_and_data_that_a_node_lacks_are_named(trial, setting, tmp_path):
    with nodes._probe(tmp_path) as probe:
        lacking = Setting(Workspace(tmp_path), plugins=("nowhere_to_be_found",))
        (fault,) = found_here(trial, [], lacking, probe).faults
        assert fault.startswith("--plugin: ")
        assert "nowhere_to_be_found" in fault
        conditions = read_conditions("smoke", "camvid")
        of_camvid = Trial(system=trial.system, conditions=conditions, seed=0)
        gone = Setting(Workspace(tmp_path), root=tmp_path / "gone")
        (fault,) = found_here(of_camvid, [], gone, probe).faults
        assert fault.startswith(f"--root {tmp_path / 'gone'}: ")


IDS = ["0a" * 28, "0b" * 28]


class Remote:
    """In place of Ray: two nodes of which the second answers with what it is given."""

    def __init__(self, answer):
        self.answers = [HERE, answer]

    def nodes(self):
        return [
            {
                "NodeID": IDS[number],
                "Alive": True,
                "Resources": {"CPU": 1},
                "NodeManagerHostname": f"host-{number}",
                "NodeManagerAddress": f"192.0.2.{number}",
            }
            for number in range(2)
        ]

    def options(self, scheduling_strategy):
        return self

    def remote(self, *_):
        return self.answers.pop(0)

    def get(self, answer, timeout):
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (HERE._replace(data="other"), "--root holds different data"),
        (GetTimeoutError(), "does not answer within 180 s"),
        (
            RuntimeError("Failed to unpickle:\nModuleNotFoundError: No module named 'msaf_bench'"),
            "msaf-bench is not installed",
        ),
        (RuntimeError("a line\nthe last line"), "the last line; check the node"),
    ],
)
def test_a_bad_node_is_named_in_one_line(answer, said, trial, setting, monkeypatch):
    there = Remote(answer)
    monkeypatch.setattr(nodes, "ray", there)
    monkeypatch.setattr(nodes, "_found", there)
    monkeypatch.setattr(nodes, "found_here", lambda *_: HERE)
    monkeypatch.setattr(nodes, "room", lambda *_: dict.fromkeys(IDS, 1))
    with pytest.raises(HostError, match=r"^node host-1 \(192.0.2.1\):? ") as caught:
        check_nodes([trial], setting, Cluster("somewhere:1"))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nodes_without_room_for_a_trial_are_not_asked(trial, setting, monkeypatch):
    there = Remote(RuntimeError())
    monkeypatch.setattr(nodes, "ray", there)
    monkeypatch.setattr(nodes, "_found", there)
    monkeypatch.setattr(nodes, "found_here", lambda *_: HERE)
    monkeypatch.setattr(nodes, "room", lambda *_: {IDS[0]: 1, IDS[1]: 0})
    check_nodes([trial], setting, Cluster("somewhere:1"))
    assert len(there.answers) == 1


def test_the_interface_of_an_address_is_found():
    assert processes._interface("127.0.0.1") in [name for _, name in socket.if_nameindex()]
    assert processes._interface("192.0.2.254") == ""


def test_a_process_that_waits_for_a_dead_one_ends(monkeypatch):
    ends, faults, heard = [], SimpleQueue(), []
    monkeypatch.setattr(processes, "GRACE_S", 0.01)
    monkeypatch.setattr(processes.os, "_exit", ends.append)
    monkeypatch.setattr(processes.ray, "wait", lambda waiting: (waiting[:1], waiting[1:]))
    outcomes = [{"state": "done"}, ActorDiedError(), {"state": "done"}]

    def get(outcome):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(processes.ray, "get", get)
    watch = partial(processes._watch, outcomes, faults, report=heard.append)
    watch(over=Event())
    assert heard == [{"lost": "another of its processes died"}] == [faults.get_nowait()]
    assert ends == [1]
    over = Event()
    over.set()
    watch(over=over)
    assert ends == [1]  # it noticed by itself
    assert faults.get_nowait() == heard[0]


@pytest.mark.slow
def test_a_batch_that_four_processes_cannot_share_is_refused_before_any_training(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(connection, "_join", None)
    four = ["--table", "3", "--preset", "smoke", "--on", "ray", "--gpus-per-trial", "4"]
    assert main(["ablate", *four, "--reports", str(tmp_path)]) == 2
    assert "batch = 2 cannot be divided among 4 processes" in capsys.readouterr().err
