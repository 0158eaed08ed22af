"""The protocol around the processes, with processes that are made up; then with real ones."""

import subprocess
import sys
from collections.abc import Sequence
from statistics import fmean, median
from time import perf_counter

import numpy as np
import pytest
import torch

from msaf_bench.analyzers.speed import processes as speed
from msaf_bench.analyzers.speed.comparison import PAPER_FPS, compare, paper_scaling, scaling
from msaf_bench.analyzers.speed.latency import summarise
from msaf_bench.analyzers.speed.machine import Snapshot
from msaf_bench.analyzers.speed.processes import measure_speed, run_process, run_together
from msaf_bench.analyzers.speed.tasks import Batch, Speed, SpeedConditions, SpeedTask
from msaf_bench.analyzers.speed.worker_report import (
    Energy,
    OutputCheck,
    PeakMemory,
    ProcessSummary,
    RunningMeans,
    SystemRun,
    WorkerReport,
)
from msaf_bench.architectures import build
from msaf_bench.catalog import read_conditions, read_system, read_table, systems_of
from msaf_bench.host import Host

MSAF = read_system("msaf-r18")
SMALL = systems_of(read_table("3"), read_conditions("smoke", "street"))["MSAF"]
CONDITIONS = SpeedConditions(
    size=(32, 64), mode="stream", threads=1, processes=3, seconds=1, timeout=2, schedule="rounds"
)


def run(
    ms: Sequence[float],
    *,
    load: float = 0.5,
    cores: int = 2,
    cycle: int = 1,
    slowed: tuple[str, ...] = (),
    agrees: bool = True,
) -> SystemRun:
    wall = tuple(ms)
    return SystemRun(
        host=Host.here(),
        process=ProcessSummary(
            first_ms=99,
            warm_up=50,
            settled=True,
            samples=len(wall),
            mean_ms=fmean(wall),
            p50_ms=float(np.median(wall)),
            converged=True,
            before=Snapshot(load=0.1),
            after=Snapshot(load=load, slowed=slowed),
        ),
        cores=cores,
        cycle=cycle,
        wall_ms=wall,
        parts_ms=(
            ("forward", tuple(0.9 * t for t in wall)),
            ("argmax", tuple(0.1 * t for t in wall)),
        ),
        output=OutputCheck(max_abs_difference=0.1, max_abs=1, same_class=1, agrees=agrees),
        memory=PeakMemory(
            kind="resident, above the built network", weights_bytes=100, peak_bytes=200
        ),
        energy=Energy(reason="none"),
    )


def measured(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[SystemRun | str]], **changes: object
) -> tuple[dict[str, Speed], list[list[str]]]:
    """What `measure_speed` makes of these answers of the systems, process by process, and which
    systems it asked together.
    """
    asked: list[list[str]] = []

    def answer(batch: Batch, tell: object = None) -> WorkerReport | str:
        names = [task.system.name for task in batch.tasks]
        asked.append(names)
        return WorkerReport(results=tuple(answers[name].pop(0) for name in names))

    monkeypatch.setattr(speed, "run_process", answer)
    conditions = CONDITIONS.model_copy(
        update={"processes": max(map(len, answers.values()))} | changes
    )
    tasks = [
        SpeedTask(system=MSAF.swap(name=name), conditions=conditions, num_classes=5)
        for name in answers
    ]
    return dict(zip(answers, measure_speed(tasks), strict=True)), asked


@pytest.mark.slow
def test_all_systems_share_each_process(monkeypatch: pytest.MonkeyPatch):
    found, asked = measured(monkeypatch, {"a": [run([1.0])] * 3, "b": [run([2.0])] * 3})
    assert asked == [["a", "b"]] * 3
    assert [len(s.processes) for s in found.values()] == [3, 3]


def test_alone_each_has_its_own_process_in_turn(monkeypatch: pytest.MonkeyPatch):
    _, asked = measured(
        monkeypatch, {"a": [run([1.0])] * 2, "b": [run([2.0])] * 2}, schedule="alone"
    )
    assert asked == [["a"], ["b"], ["a"], ["b"]]


@pytest.mark.slow
def test_a_system_that_fails_costs_itself_and_no_other(monkeypatch: pytest.MonkeyPatch):
    """It is tried once more alone, since others may have taken its memory, and not in later
    processes.
    """
    found, asked = measured(
        monkeypatch, {"a": [run([1.0]), "out of memory", "out of memory"], "b": [run([2.0])] * 3}
    )
    assert asked == [["a", "b"], ["a", "b"], ["a"], ["b"]]
    assert (found["a"].reason, found["a"].latency, found["a"].fps, found["a"].processes) == (
        "out of memory",
        None,
        None,
        (),
    )
    assert not found["a"].converged
    assert found["b"].fps == 500
    assert compare(found["a"], found["b"]) is None


@pytest.mark.parametrize("schedule", ["rounds", "alone"])
@pytest.mark.parametrize("names", ["a", "ab"])
def test_where_all_systems_fail_each_has_its_reason_and_no_more_processes_start(
    monkeypatch: pytest.MonkeyPatch, schedule: str, names: str
):
    found, _ = measured(
        monkeypatch, {name: ["out of memory"] * 2 for name in names}, schedule=schedule, processes=3
    )
    assert {speed.reason for speed in found.values()} == {"out of memory"}


def together(
    monkeypatch: pytest.MonkeyPatch, holds: int = 9, kills: str = ""
) -> tuple[list[SystemRun | str], list[str]]:
    """Six systems in processes that hold so many, and die of one of them."""
    asked: list[str] = []

    def answer(batch: Batch, tell: object = None) -> WorkerReport | str:
        names = [task.system.name for task in batch.tasks]
        asked.append("".join(names))
        return (
            "killed"
            if kills and kills in names
            else WorkerReport(results=(run([1.0]),) * min(holds, len(names)))
        )

    monkeypatch.setattr(speed, "run_process", answer)
    return (
        run_together(
            [
                SpeedTask(system=MSAF.swap(name=name), conditions=CONDITIONS, num_classes=5)
                for name in "abcdef"
            ],
            1,
        ),
        asked,
    )


def test_what_memory_does_not_hold_follows_in_further_processes(monkeypatch: pytest.MonkeyPatch):
    found, asked = together(monkeypatch, holds=4)
    assert asked == ["abcdef", "ef"]
    assert [isinstance(one, SystemRun) for one in found] == [True] * 6


@pytest.mark.slow
def test_a_system_that_kills_its_process_is_found_by_halves(monkeypatch: pytest.MonkeyPatch):
    found, asked = together(monkeypatch, kills="e")
    assert asked == ["abcdef", "abc", "def", "d", "ef", "e", "f"]
    assert [one if isinstance(one, str) else "timed" for one in found] == ["timed"] * 4 + [
        "killed",
        "timed",
    ]


def test_tasks_that_cannot_share_a_process_are_refused():
    task = SpeedTask(system=MSAF, conditions=CONDITIONS, num_classes=5)
    other = task.model_copy(update={"conditions": CONDITIONS.model_copy(update={"threads": 2})})
    with pytest.raises(ValueError, match="size and mode only"):
        measure_speed([task, other])


def test_fps_is_1000_over_the_mean_latency(monkeypatch: pytest.MonkeyPatch):
    """Not the mean of the frames' rates, which would be 505 here."""
    found, _ = measured(monkeypatch, {"a": [run([1.0, 99.0])]})
    assert found["a"].fps == pytest.approx(20)


@pytest.mark.slow
def test_samples_of_all_processes_together(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    series = [rng.lognormal(0, 0.1, 300) for _ in range(3)]
    found = measured(monkeypatch, {"a": [run(list(s)) for s in series]})[0]["a"]
    assert found.latency is not None
    together = np.concatenate(series)
    for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        p = getattr(found.latency, name)
        assert p.value == np.quantile(together, q, method="inverted_cdf")
        assert p.low <= p.value <= p.high
    assert found.latency.mean == pytest.approx(together.mean())
    forward = dict(found.parts)["forward"]
    assert forward.mean == pytest.approx(0.9 * together.mean())
    medians = [np.median(s) for s in series]
    assert found.spread == pytest.approx((max(medians) - min(medians)) / np.median(medians))


@pytest.mark.parametrize(
    ("n", "stated"),
    [(1, "p50"), (63, "p50"), (64, "p50 p90"), (661, "p50 p90"), (662, "p50 p90 p99")],
)
def test_percentiles_below_their_least_sample_are_not_stated(n: int, stated: str):
    found = summarise([1.0] * n)
    kept = {name: getattr(found, name) for name in ("p50", "p90", "p99")}
    assert " ".join(name for name, p in kept.items() if p.value is not None) == stated
    for p in kept.values():
        assert (p.value is None) == bool(p.reason)
        assert not p.reason or str(n) in p.reason


def test_round_trip_and_id(monkeypatch: pytest.MonkeyPatch):
    found = measured(monkeypatch, {"a": [run([1.0, 2.0])] * 2})[0]["a"]
    assert Speed.model_validate_json(found.model_dump_json()) == found
    task = SpeedTask(system=found.system, conditions=found.conditions, num_classes=5)
    assert found.id == task.id
    others = [
        task.model_copy(update={"num_classes": 6}),
        task.model_copy(update={"system": SMALL}),
        task.model_copy(update={"conditions": task.conditions.model_copy(update={"mode": "clip"})}),
    ]
    assert len({task.id, *(other.id for other in others)}) == 4


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
def test_a_latency_that_is_no_number_is_refused(wrong: float):
    with pytest.raises(ValueError, match="wall_ms"):
        SystemRun.model_validate(run([1.0]).model_dump() | {"wall_ms": [1.0, wrong]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (0, 4)},
        {"threads": 0},
        {"processes": 0},
        {"seconds": 0},
        {"timeout": float("nan")},
        {"mode": "x"},
    ],
)
def test_conditions_that_cannot_be(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SpeedConditions.model_validate(CONDITIONS.model_dump() | wrong)


@pytest.mark.parametrize(
    ("busy", "threads", "flagged"),
    [(0.9, 1, False), (1.5, 1, True), (0.1, 2, False), (0.5, 2, True)],
)
def test_contended_is_told_by_the_cores_that_others_kept_busy(
    monkeypatch: pytest.MonkeyPatch, busy: float, threads: int, flagged: bool
):
    """And not by the load average, which still holds the trials that ran before."""
    one = run([10.0], load=5.0)
    one = one.model_copy(update={"process": one.process.model_copy(update={"busy_cores": busy})})
    flags = dict(measured(monkeypatch, {"a": [one]}, threads=threads)[0]["a"].flags)
    assert ("contended" in flags) == flagged
    assert not flagged or f"{busy} of 2 cores" in flags["contended"]


def test_a_file_of_an_earlier_version_is_read(monkeypatch: pytest.MonkeyPatch):
    """It has no schedule, which was one process for each system, and no turns."""
    kept = measured(monkeypatch, {"a": [run([1.0, 2.0])] * 2})[0]["a"].model_dump(mode="json")
    del kept["conditions"]["schedule"]
    for process in kept["processes"]:
        for name in ("turns", "beside", "busy_cores"):
            del process[name]
    read = Speed.model_validate(kept)
    assert read.conditions.schedule == "alone"
    assert (read.processes[0].turns, read.processes[0].beside) == (0, 0)
    assert read.conditions.key != CONDITIONS.model_copy(update={"processes": 2}).key


@pytest.mark.slow
def test_what_speaks_against_a_number(monkeypatch: pytest.MonkeyPatch):
    quiet = measured(monkeypatch, {"a": [run([10.0]), run([10.5])]})[0]["a"]
    assert quiet.flags == ()
    assert quiet.converged
    loud = run([12.0], load=5.2, slowed=("hardware slowdown",), agrees=False)
    loud = loud.model_copy(
        update={"process": loud.process.model_copy(update={"converged": False, "settled": False})}
    )
    found = measured(monkeypatch, {"a": [run([10.0]), loud]}, threads=4)[0]["a"]
    flags = dict(found.flags)
    assert set(flags) == {
        "other output",
        "not converged",
        "not settled",
        "unstable",
        "contended",
        "oversubscribed",
        "slowed",
    }
    assert not found.converged
    assert "5.2 on 2 cores" in flags["contended"]
    assert "1 of 2" in flags["not converged"]
    assert "18 %" in flags["unstable"]
    assert "4 threads on 2 cores" in flags["oversubscribed"]


def test_a_cycle_has_a_median_for_each_of_its_frames(monkeypatch: pytest.MonkeyPatch):
    found = measured(monkeypatch, {"a": [run([50.0, 10.0, 11.0] * 4, cycle=3)] * 2})[0]["a"]
    assert found.phases_ms == (50, 10, 11)
    assert found.fps == pytest.approx(1000 / fmean([50, 10, 11]))


def compared(monkeypatch: pytest.MonkeyPatch, a: list[float], b: list[float]):
    found, _ = measured(monkeypatch, {"a": [run([ms]) for ms in a], "b": [run([ms]) for ms in b]})
    return compare(found["a"], found["b"])


@pytest.mark.slow
def test_faster_and_slower_need_the_whole_interval(monkeypatch: pytest.MonkeyPatch):
    a, b = [10.0, 10.3, 9.9], [12.0, 12.4, 11.8]
    found = compared(monkeypatch, a, b)
    assert found is not None
    assert found.verdict == "faster"
    logs = np.log(np.array(b) / a)
    half = 4.302652729911275 * logs.std(ddof=1) / 3**0.5  # Student's t, two degrees of freedom
    assert (found.ratio, found.low, found.high) == pytest.approx(
        tuple(np.exp([logs.mean(), logs.mean() - half, logs.mean() + half]))
    )
    other = compared(monkeypatch, b, a)
    assert other is not None
    assert other.verdict == "slower"
    assert other.ratio == pytest.approx(1 / found.ratio)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        # a difference that is there, and less than 1 %
        ([10.0, 10.0, 10.0], [10.05, 10.06, 10.05], "noise floor"),
        ([10.0, 10.4, 9.8], [10.5, 10.2, 10.6], "noise floor"),
        ([10.0, 10.0, 14.0], [20.0, 20.0, 28.0], "unstable"),
        ([10.0], [20.0], "two processes"),
    ],
)
def test_not_told_apart(monkeypatch: pytest.MonkeyPatch, a: list[float], b: list[float], why: str):
    for found in (compared(monkeypatch, a, b), compared(monkeypatch, b, a)):
        assert found is not None
        assert found.verdict == "not told apart"
        assert why in found.reason


def test_the_exponent_of_the_papers_three_numbers():
    """24.39, 13.54 and 8.76 FPS, from the printed table, against a fit by hand."""
    found = paper_scaling()
    x, y = np.log([h * w for h, w in PAPER_FPS]), -np.log(list(PAPER_FPS.values()))
    assert found.exponent == pytest.approx(np.polyfit(x, y, 1)[0])
    assert (round(found.exponent or 0, 2), *(round(a, 2) for a in found.piecewise)) == (
        0.74,
        0.73,
        0.76,
    )


def test_the_papers_three_numbers_are_those_of_its_table():
    printed = {
        claim.row: claim.value for claim in read_table("1").claims() if claim.metric == "fps"
    }
    assert list(PAPER_FPS.values()) == [
        printed[row] for row in ("MSAF ResNet18 512", "MSAF ResNet18 768", "MSAF ResNet18")
    ]


def test_scaling_of_one_size_is_not_there():
    assert scaling([((4, 8), 1.0)]) == (None, ())
    assert scaling([((4, 8), 2.0), ((8, 16), 8.0)]).exponent == pytest.approx(1)


@pytest.mark.slow
def test_a_real_process():
    """Two modes in one process: both are timed, in rounds, and their parts add up."""
    conditions = CONDITIONS.model_copy(
        update={"region": "e2e", "seconds": 0.05, "timeout": 0.1, "processes": 1}
    )
    tasks = [
        SpeedTask(
            system=SMALL, conditions=conditions.model_copy(update={"mode": mode}), num_classes=5
        )
        for mode in ("stream", "clip")
    ]
    stream, clip = measure_speed(tasks)
    assert (stream.conditions.mode, clip.conditions.mode) == ("stream", "clip")
    for found in (stream, clip):
        assert found.latency is not None, found.reason
        (process,) = found.processes
        assert found.latency.samples == process.samples >= process.turns >= 6
        assert (process.beside, process.warm_up > 0, found.host.threads) == (1, True, 1)
        parts = dict(found.parts)
        assert list(parts) == ["upload", "forward", "argmax", "download"]
        assert sum(part.mean for part in parts.values()) == pytest.approx(found.latency.mean)
        assert found.output is not None
        assert found.output.max_abs_difference < 1e-4  # stream against clip, both eager fp32
        assert found.memory is not None
        assert found.memory.weights_bytes > 1e5
        assert found.energy is not None
        assert found.energy.reason
        assert Speed.model_validate_json(found.model_dump_json()) == found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by signal 9"),
        ("import sys; sys.exit(3)", "ended with 3"),
        ("print('hello')", "no valid report"),
        ("import time; time.sleep(60)", "not finished after"),
    ],
)
def test_a_process_that_gives_no_report(monkeypatch: pytest.MonkeyPatch, program: str, said: str):
    monkeypatch.setattr(speed, "START_S", 0.1 if "sleep" in program else 600)
    monkeypatch.setattr(speed, "command", lambda module: [sys.executable, "-c", program])
    conditions = CONDITIONS.model_copy(update={"seconds": 0.1, "timeout": 0.1})
    found = run_process(
        Batch(tasks=(SpeedTask(system=SMALL, conditions=conditions, num_classes=5),), number=1)
    )
    assert isinstance(found, str)
    assert said in found


@pytest.mark.slow
def test_no_torch_to_read_a_result():
    program = (
        "import sys, msaf_bench.analyzers.speed.processes, msaf_bench.analyzers.speed.comparison;"
        " assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.slow
def test_a_process_tells_its_means_before_its_report():
    told: list[RunningMeans] = []
    conditions = CONDITIONS.model_copy(update={"seconds": 0.6, "timeout": 0.6})
    task = SpeedTask(system=SMALL, conditions=conditions, num_classes=5)
    report = run_process(Batch(tasks=(task,), number=1), told.append)
    assert isinstance(report, WorkerReport)
    assert told
    assert all(name == task.id and ms > 0 for each in told for name, ms in each.means_ms)


@pytest.mark.slow
def test_the_number_is_that_of_a_plain_loop():
    """Within a factor of two, whatever else the machine does; a quiet one agrees within 3 %."""
    conditions = CONDITIONS.model_copy(update={"seconds": 0.5, "timeout": 0.5})
    task = SpeedTask(system=SMALL, conditions=conditions, num_classes=5)
    net = build(SMALL, 5).eval()
    clip = torch.randn(1, net.frames, 3, *conditions.size)
    threads = torch.get_num_threads()
    torch.set_num_threads(conditions.threads)

    def plain() -> float:
        begin = perf_counter()
        net(clip).logits.argmax(1)
        return 1000 * (perf_counter() - begin)

    try:
        with torch.inference_mode():
            before = [plain() for _ in range(30)][5:]
            report = run_process(Batch(tasks=(task,), number=1))
            after = [plain() for _ in range(30)][5:]
    finally:
        torch.set_num_threads(threads)
    assert isinstance(report, WorkerReport)
    (found,) = report.results
    assert isinstance(found, SystemRun)
    lowest, highest = sorted((median(before), median(after)))
    assert lowest / 2 < found.process.p50_ms < 2 * highest
