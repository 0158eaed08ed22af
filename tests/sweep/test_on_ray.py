"""Ray: who may talk to it, what it leaves behind, and what becomes of a trial that cannot run."""

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from forked import blank_figures, start

from msaf_bench.cli import main
from msaf_bench.errors import HostError, UsageError
from msaf_bench.records import read_records
from msaf_bench.sweep import on_ray
from msaf_bench.sweep.executors import Cluster, cluster_of
from msaf_bench.sweep.on_ray import connection, resources
from msaf_bench.sweep.on_ray.connection import FOLDER
from msaf_bench.sweep.workspace import Setting, Workspace


def test_folders_of_dead_processes_are_removed_and_those_of_living_ones_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "LONGEST", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen(["true"])
    gone.wait()
    old, living, other = (
        tmp_path / name
        for name in (f"{FOLDER}{gone.pid}-ab", f"{FOLDER}{os.getpid()}-ab", f"{FOLDER}notes")
    )
    for folder in (old, living, other):
        (folder / "deep").mkdir(parents=True)
    with connection.scratch() as scratch:
        assert scratch.parent == tmp_path
        assert scratch.stat().st_mode & 0o077 == 0
        assert not old.exists()
    assert {path.name for path in tmp_path.iterdir()} == {living.name, other.name}


def test_a_temporary_folder_with_a_long_path_is_shortened_or_refused_by_name(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 80)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with connection.scratch() as scratch:
        assert scratch.parent == Path("/tmp")
        session = (
            scratch
            / f"session_2026-01-01_00-00-00_000000_{os.getpid()}"
            / "sockets"
            / "plasma_store"
        )
        assert len(os.fsencode(session)) <= 103
    monkeypatch.setattr(connection, "LONGEST", 1)
    with pytest.raises(HostError, match="x" * 80 + ".*TMPDIR=/tmp"), connection.scratch():
        pass


NODES_OF = [
    {"NodeID": "a", "Alive": True, "Resources": {"CPU": 4.0}},
    {"NodeID": "b", "Alive": True, "Resources": {"CPU": 2.0, "GPU": 2.0}},
    {"NodeID": "c", "Alive": True, "Resources": {"CPU": 8.0, "GPU": 1.0}},
    {"NodeID": "d", "Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
]
for number, node in enumerate(NODES_OF):
    node |= {"NodeManagerHostname": f"host-{number}", "NodeManagerAddress": f"192.0.2.{number}"}


@pytest.mark.parametrize(
    ("threads", "loaders", "gpus", "fits"),
    [
        (8, 0, 0, True), (1, 7, 0, True), (9, 0, 0, False), (8, 1, 0, False), (8, 0, 1, True),
        (8, 0, 0.5, True), (2, 0, 0.5, True), (9, 0, 0.5, False), (4, 4, 1, True),
        (1, 8, 1, False),
    ],
)  # fmt: skip
def test_a_trial_must_fit_one_node_not_the_sum(tmp_path, monkeypatch, threads, loaders, gpus, fits):
    monkeypatch.setattr(resources.ray, "nodes", lambda: NODES_OF)
    setting = Setting(Workspace(tmp_path), threads=threads, loader_threads=loaders)
    if fits:
        resources.check_resources(Cluster(gpus=gpus), setting)
        return
    with pytest.raises(
        UsageError,
        match=(
            f"needs {threads + loaders} CPU and {gpus} GPU on one node, but the largest node"
            " has 2 CPU and 2 GPU"
        ),
    ):
        resources.check_resources(Cluster(gpus=gpus), setting)


@pytest.mark.parametrize(
    ("threads", "gpus", "fits"),
    [(1, 2, True), (1, 3, True), (1, 4, False), (2, 2, True), (2, 3, False), (3, 2, False)],
)
def test_the_processes_of_a_trial_may_lie_on_several_nodes_each_with_a_whole_gpu(
    tmp_path, monkeypatch, threads, gpus, fits
):
    monkeypatch.setattr(resources.ray, "nodes", lambda: NODES_OF)
    setting = Setting(Workspace(tmp_path), threads=threads)
    if fits:
        resources.check_resources(Cluster(gpus=gpus), setting)
        return
    with pytest.raises(UsageError) as caught:
        resources.check_resources(Cluster(gpus=gpus), setting)
    said = str(caught.value)
    assert f"--gpus-per-trial {gpus}: a trial needs {gpus} times {threads} CPU and 1 GPU" in said
    assert "node host-1 (192.0.2.1) has 2 CPU and 2 GPU" in said
    assert "host-3" not in said


@pytest.mark.parametrize("gpus", [1.5, 2.25])
def test_gpus_above_one_are_whole(gpus):
    with pytest.raises(UsageError, match=rf"--gpus-per-trial {gpus}: .*use {int(gpus)} or"):
        cluster_of("ray", None, None, gpus)


def test_an_error_of_ray_is_one_line(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError(
            "Traceback (most recent call last):\n  File x\nValueError: the node is gone\n"
        )

    monkeypatch.setattr(connection, "_join", broken)
    with pytest.raises(
        HostError, match=r"^Ray: ValueError: the node is gone; use --on local to run without Ray$"
    ):
        on_ray.run_on([], Setting(Workspace(tmp_path)), None, Cluster())


SMALL = [
    "ablate",
    "--table",
    "3",
    "--preset",
    "smoke",
    "--rows",
    "Baseline",
    "--speed",
    "0",
    "--no-controls",
    "--no-pictures",
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run of two seeds by the plain loop."""
    folder = tmp_path_factory.mktemp("plain")
    with blank_figures():
        assert main([*SMALL, "--seeds", "2", "--on", "local", "--reports", str(folder)]) == 0
    return folder


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_an_error_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(connection.ray, "init", None)  # it would try for minutes
    over = ["--on", "ray", "--address", "127.0.0.1:9"]
    assert main([*SMALL, "--seeds", "1", *over, "--reports", str(tmp_path)]) == 5
    assert "no Ray cluster" in capsys.readouterr().err


# In a worker, MSAF dies once, the baseline every time.
DEADLY = """
import os, pathlib, signal

def register(registry):
    if "RAY_JOB_ID" not in os.environ:
        return
    from msaf_bench.sweep import trial
    plain, died = trial.train, pathlib.Path("DIED")

    def train(net, *given, **options):
        if net.frames == 1 or not died.exists():
            if net.frames > 1:
                died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(net, *given, **options)

    trial.train = train
"""


def listening(mark):
    """(process, address) of every socket that listens in a process with this mark in its
    environment.
    """
    places = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                places[f"socket:[{fields[9]}]"] = fields[1].partition(":")[0]
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                name = (process / "comm").read_text().strip()
                found |= {
                    (name, places[link])
                    for fd in (process / "fd").iterdir()
                    if (link := str(fd.readlink())) in places
                }
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_a_worker_that_dies_is_tried_again_then_fails_its_row_and_nobody_else_is_listened_to(
    tmp_path, plain
):
    (tmp_path / "deadly.py").write_text(DEADLY.replace("DIED", str(tmp_path / "died")))
    mark = f"MSAF_BENCH_TEST={tmp_path.name}-{os.getpid()}"
    nowhere = {
        "RAY_ADDRESS": "127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    environment = (
        os.environ
        | {"PYTHONPATH": str(Path(__file__).parents[2])}
        | nowhere
        | dict([mark.split("=")])
    )
    deadly = ["--seeds", "1", "--on", "ray", "--plugin", "deadly", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "msaf_bench", *SMALL, *deadly, "--reports", str(tmp_path / "run")],
        env=environment,
        cwd=tmp_path,  # the plug-in lies in the working folder alone
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    heard = set()
    while process.poll() is None:
        heard |= listening(mark)
        time.sleep(3)
    text = process.communicate()[0]
    assert process.returncode == 1, text
    assert "Traceback" not in text
    assert all(f"{name}={value} is inherited" in text for name, value in nowhere.items())
    records = read_records(tmp_path / "run" / "records")
    assert sorted((record.state, record.reason) for record in records.values()) == [
        ("done", ""),
        ("failed", "its worker died 3 times"),
    ]
    assert (tmp_path / "died").exists()
    alone = read_records(plain / "records")
    assert all(
        (record.confusion, record.loss) == (alone[name].confusion, alone[name].loss)
        for name, record in records.items()
        if record.state == "done"
    )
    assert {"gcs_server", "raylet"} <= {name for name, _ in heard}
    assert {address for _, address in heard} <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert not list(Path(tempfile.gettempdir()).glob(f"{FOLDER}{process.pid}-*"))


FULL = """
import errno, os, sys
from pathlib import Path

def register(registry):
    if "RAY_JOB_ID" not in os.environ:
        return
    from msaf_bench.sweep import trial

    def train(*given, folder, **options):
        with (folder.parents[1] / "begun").open("a") as file:
            file.write(folder.name + "\\n")
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    trial.train = train
"""


@pytest.mark.slow
def test_a_disk_that_is_full_stops_a_sweep_on_ray_at_once(tmp_path):
    (tmp_path / "full.py").write_text(FULL)
    (tmp_path / "run").mkdir()
    arguments = [*SMALL, "--seeds", "4", "--workers", "1", "--on", "ray", "--plugin", "full"]
    process = start(
        partial(main, [*arguments, "--reports", str(tmp_path / "run")]),
        tmp_path / "out",
        cwd=tmp_path,
        PYTHONPATH=str(Path(__file__).parents[2]),
    )
    process.join()
    said = (tmp_path / "out").read_text()
    assert process.exitcode == 5, said
    assert "No space left on device" in said
    assert "Traceback" not in said
    assert "fault of msaf-bench" not in said
    assert len((tmp_path / "run" / "begun").read_text().split()) == 1
    assert not read_records(tmp_path / "run" / "records")


def test_the_environment_is_put_back(tmp_path, monkeypatch):
    seen = []
    before = dict(os.environ)
    monkeypatch.setattr(connection, "_join", lambda *_: seen.append(dict(os.environ)))
    monkeypatch.setattr(on_ray, "check_resources", lambda *_: None)
    nothing = SimpleNamespace(finished=set(), stopped=set(), lost={})
    monkeypatch.setattr(on_ray, "fit", lambda *_: nothing)
    for address in (None, "somewhere:1"):
        on_ray.run_on([], Setting(Workspace(tmp_path)), None, Cluster(address))
        assert dict(os.environ) == before
    own, joined = seen
    assert joined.items() >= connection.VARIABLES.items()
    assert own.items() >= (connection.VARIABLES | connection.OWN).items()
    assert "RAY_AUTH_TOKEN" not in joined.keys() - before.keys()


@pytest.mark.slow
def test_importing_it_sets_no_variable():
    code = (
        "import os; before = dict(os.environ); from msaf_bench.sweep.on_ray import connection;"
        " ours = connection.VARIABLES.keys() | connection.OWN.keys();"
        " print(ours & (os.environ.keys() - before.keys()))"
    )
    environment = {name: value for name, value in os.environ.items() if name[:4] != "RAY_"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
