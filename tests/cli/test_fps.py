"""`msaf-bench fps`: what it prints and refuses. The processes are made up."""

import json

import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from msaf_bench import host
from msaf_bench.analyzers.speed import processes as speed
from msaf_bench.analyzers.speed.machine import Snapshot
from msaf_bench.analyzers.speed.tasks import Batch, SpeedTask
from msaf_bench.analyzers.speed.worker_report import (
    Energy,
    OutputCheck,
    PeakMemory,
    ProcessSummary,
    SystemRun,
    WorkerReport,
)
from msaf_bench.cli import main
from msaf_bench.cli.fps import fps
from msaf_bench.cli.fps_progress import progress_line
from msaf_bench.errors import UsageError
from msaf_bench.host import Host


def invoke(*words: str) -> Result:
    app = typer.Typer()
    app.command()(fps)
    return CliRunner().invoke(app, words)


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[SpeedTask]:
    """What was asked of the processes; each frame takes 1 ms for 1000 pixels, half in a stream, on
    a machine with too much to do.
    """
    monkeypatch.setattr(host, "usable_cores", lambda: 8)
    asked: list[SpeedTask] = []
    jitter = {1: 1.0, 2: 1.002, 3: 0.998}  # by process

    def answer(task: SpeedTask, number: int) -> SystemRun | str:
        asked.append(task)
        if task.system.name == "msaf-r101":
            return "MemoryError: too large"
        c = task.conditions
        ms = c.size[0] * c.size[1] / 1000 * jitter[number] * {"clip": 1, "stream": 0.5}[c.mode]
        ms *= 2 if task.system.name == "msaf-r50" else 1
        wall = (ms,) * 50
        process = ProcessSummary(
            first_ms=9 * ms,
            warm_up=50,
            settled=True,
            samples=50,
            mean_ms=ms,
            p50_ms=ms,
            converged=False,
            before=Snapshot(load=1.0),
            after=Snapshot(load=7.0),
        )
        return SystemRun(
            host=Host.here(threads=c.threads),
            process=process,
            cores=2,
            cycle=1,
            wall_ms=wall,
            parts_ms=(("forward", wall), ("argmax", (0.0,) * 50)),
            output=OutputCheck(max_abs_difference=1e-6, max_abs=1, same_class=1, agrees=True),
            memory=PeakMemory(
                kind="resident, above the built network", weights_bytes=2**26, peak_bytes=2**27
            ),
            energy=Energy(reason="none here"),
            facts=(("governor", "unknown"),),
        )

    def together(batch: Batch, tell: object = None) -> WorkerReport:
        return WorkerReport(results=tuple(answer(task, batch.number) for task in batch.tasks))

    monkeypatch.setattr(speed, "run_process", together)
    return asked


@pytest.mark.slow
def test_json_of_one_run(tasks: list[SpeedTask]):
    result = invoke(
        "msaf-r18",
        "--size",
        "10x100",
        "--mode",
        "stream",
        "--threads",
        "1",
        "--classes",
        "7",
        "--json",
    )
    document = json.loads(result.stdout)
    assert {"mode", "latency_ms", "fps", "samples", "converged", "host"} <= set(document)
    assert (document["mode"], document["size"], document["region"]) == (
        "stream",
        [10, 100],
        "forward+argmax",
    )
    latency = document["latency_ms"]
    assert latency["p50"] == pytest.approx(0.5, rel=0.01)
    assert latency["p90"] == pytest.approx(0.5, rel=0.01)
    assert latency["p99"] is None
    assert latency["not_stated"] == {"p99": "needs 662 samples, got 150"}
    assert latency["intervals"]["p50"][0] <= latency["p50"] <= latency["intervals"]["p50"][1]
    assert document["fps"] == pytest.approx(1000 / latency["mean"])
    assert (document["samples"], document["converged"]) == (150, False)
    assert document["host"]["threads"] == document["conditions"]["threads"] == 1
    assert set(document["flags"]) == {"not converged", "contended"}
    assert document["parts_ms"]["forward"]["p50"] == latency["p50"]
    assert document["processes"][0]["before"]["load"] == 1
    assert "runs" not in document
    assert [(t.num_classes, t.conditions.processes) for t in tasks] == [(7, 3)] * 3
    assert "process 3 of 3" in result.stderr


def test_options_are_conditions(tasks: list[SpeedTask]):
    words = (
        "--mode clip --region e2e --precision bf16 --channels-last --compile --threads 3"
        " --processes 1 --seconds 2 --timeout 5"
    )
    assert invoke("msaf-r18", "--size", "8X9", *words.split()).exit_code == 0
    (task,) = tasks
    found = task.conditions.model_dump()
    assert found == found | {
        "size": (8, 9),
        "mode": "clip",
        "region": "e2e",
        "precision": "bf16",
        "channels_last": True,
        "compiled": True,
        "schedule": "alone",
        "threads": 3,
        "seconds": 2,
        "timeout": 5,
    }


@pytest.mark.slow
def test_both_modes_sizes_and_systems(tasks: list[SpeedTask]):
    document = json.loads(
        invoke("msaf-r18", "msaf-r50", "--size", "10x100,20x100", "--json").stdout
    )
    runs = [(r["system"], r["mode"], r["size"]) for r in document["runs"]]
    assert runs == [
        (s, m, [h, 100])
        for h in (10, 20)
        for m in ("clip", "stream")
        for s in ("msaf-r18", "msaf-r50")
    ]
    assert {key: document[key] for key in document["runs"][0]} == document["runs"][0]
    # sizes and modes share the three processes
    assert [t.system.name for t in tasks] == ["msaf-r18", "msaf-r50"] * 12
    assert [(t.conditions.size[0], t.conditions.mode) for t in tasks[::2]] == 3 * [
        (h, m) for h in (10, 20) for m in ("clip", "stream")
    ]
    assert {t.conditions.schedule for t in tasks} == {"rounds"}
    assert all(
        c["verdict"] == "faster" and c["ratio"] == pytest.approx(2, rel=0.01)
        for c in document["comparisons"]
    )
    assert len(document["comparisons"]) == 4
    assert [fit["exponent"] for fit in document["scaling"]["measured"]] == pytest.approx(
        [1] * 4, abs=0.01
    )
    assert document["scaling"]["paper"]["exponent"] == pytest.approx(0.74, abs=0.005)


@pytest.mark.slow
def test_a_system_named_twice_is_its_own_control(tasks: list[SpeedTask]):
    document = json.loads(
        invoke("msaf-r18", "msaf-r18", "--size", "10x100", "--mode", "clip", "--json").stdout
    )
    assert [run["system"] for run in document["runs"]] == ["msaf-r18", "msaf-r18 #2"]
    assert document["comparisons"][0]["verdict"] == "not told apart"
    assert len(tasks) == 6


@pytest.mark.slow
def test_a_system_that_fails_is_a_failed_row(tasks: list[SpeedTask]):
    result = invoke("msaf-r101", "msaf-r18", "--size", "10x100", "--mode", "clip", "--json")
    assert result.exit_code == 1
    failed, done = json.loads(result.stdout)["runs"]
    assert failed["reason"] == "MemoryError: too large"
    assert (failed["fps"], failed["latency_ms"]["p50"], failed["samples"], failed["converged"]) == (
        None,
        None,
        0,
        False,
    )
    assert done["fps"] > 0
    text = invoke("msaf-r101", "msaf-r18", "--size", "10x100", "--mode", "clip")
    assert text.exit_code == 1
    assert "not timed: MemoryError: too large" in text.stdout


@pytest.mark.slow
def test_text_fits_90_columns_and_says_what_speaks_against_it(tasks: list[SpeedTask]):
    result = invoke(
        "msaf-r18", "msaf-r50", "--size", "512x1024,768x1536,1024x2048", "--threads", "4"
    )
    text = result.stdout
    assert result.exit_code == 0, result.exception
    assert max(map(len, text.splitlines())) <= 90
    for said in (
        "NOT CONVERGED",
        "CONTENDED: load 7.0 on 2 cores",
        "OVERSUBSCRIBED: 4 threads on 2 cores",
        "p99: needs 662 samples",
        "not ranked with ours",
    ):
        assert said in text
    assert "0.74  (0.73, 0.76)" in text
    assert "msaf-r18 is 2.000" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("msaf-r18", "--size", "0x0"), "--size: '0x0'"),
        (("msaf-r18", "--size", "²x3"), "HxW"),
        (("msaf-r18", "--size", "64"), "HxW"),
        (("msaf-r18", "--size", "64x64,"), "HxW"),
        (("msaf-r19", "--size", "64x64"), "msaf-r18"),
        (("nothing.toml", "--size", "64x64"), "nothing.toml"),
        (("msaf-r18", "--size", "64x64", "--mode", "strean"), "stream"),
        (("msaf-r18", "--size", "64x64", "--region", "argmax"), "forward+argmax"),
        (("msaf-r18", "--size", "64x64", "--precision", "fp8"), "fp16"),
        (("msaf-r18", "--size", "64x64", "--device", "tpu"), "cpu"),
        (("msaf-r18", "--size", "64x64", "--seconds", "0"), "--seconds"),
        (("msaf-r18", "--size", "64x64", "--seconds", "nan"), "--seconds"),
        (("msaf-r18", "--size", "64x64", "--timeout=-1"), "--timeout"),
        (("msaf-r18", "--size", "64x64", "--plugin", "no_such_module"), "no_such_module"),
    ],
)
def test_what_cannot_be_is_one_line_and_2(
    words: tuple[str, ...], said: str, tasks: list[SpeedTask], capsys: pytest.CaptureFixture[str]
):
    assert main(["fps", *words, "--json"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert len(err.splitlines()) == 1
    assert said in err
    assert not tasks


def test_a_gpu_that_is_not_there():
    if torch.cuda.device_count() > 6:
        pytest.skip("it is there")
    assert isinstance(
        invoke("msaf-r18", "--size", "64x64", "--device", "cuda:6").exception, UsageError
    )


def test_several_systems_and_sizes_are_a_list(tasks: list[SpeedTask]):
    words = ["MSAF-r18,msaf-r50", "-s", "10x100", "--size", "20x100", "-m", "Clip"]
    document = json.loads(invoke(*words, "--json").stdout)
    assert [(run["system"], run["size"][0]) for run in document["runs"]] == [
        ("msaf-r18", 10),
        ("msaf-r50", 10),
        ("msaf-r18", 20),
        ("msaf-r50", 20),
    ]


@pytest.mark.parametrize(("words", "processes"), [((), 1), (("--processes", "3"), 3)])
def test_processes_that_do_not_end_in_time_are_not_begun(
    words: tuple[str, ...],
    processes: int,
    tasks: list[SpeedTask],
    monkeypatch: pytest.MonkeyPatch,
):
    """Unless they were asked for."""
    seconds = iter(range(0, 10_000, 16))
    monkeypatch.setattr(speed, "perf_counter", lambda: next(seconds))
    found = invoke("msaf-r18", "--size", "10x100", "--mode", "clip", "--json", *words)
    document = json.loads(found.stdout)
    assert len(document["processes"]) == document["conditions"]["processes"] == processes
    assert ("one more would take too long" in found.stderr) == (processes == 1)


def test_the_line_of_progress():
    means = {"a 8x8 clip": 40.0, "a 8x8 stream": 12.5, "b 8x8 clip": 1.0}
    line = progress_line(means, speed.Progress(means, 2, 3, 11.6))
    assert line == (
        "so far: a 8x8 clip 40 ms (25 FPS), a 8x8 stream 12.5 ms (80 FPS), and 1 more; process 2 of"
        " 3, about 12 s left"
    )
