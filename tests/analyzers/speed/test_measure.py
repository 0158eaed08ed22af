"""The protocol around the processes, with processes that are made up; then with real ones."""

import subprocess
import sys
from collections.abc import Sequence
from statistics import fmean

import numpy as np
import pytest

from msaf_bench.analyzers.speed import measure as speed
from msaf_bench.analyzers.speed.comparison import PAPER_FPS, compare, paper_scaling, scaling
from msaf_bench.analyzers.speed.host import Snapshot
from msaf_bench.analyzers.speed.latency import summarise
from msaf_bench.analyzers.speed.measure import Speed, SpeedConditions, SpeedTask, measure_speed, run_alone
from msaf_bench.analyzers.speed.run import Energy, Memory, Output, Process, Run
from msaf_bench.catalog import read_system, read_table
from msaf_bench.records import Host

MSAF = read_system("msaf-r18")
SMALL = MSAF.swap(options={"width": 16, "heads": 2}, name="small")
CONDITIONS = SpeedConditions(size=(32, 64), mode="stream", threads=1, processes=3, seconds=1, timeout=2)


def run(
    ms: Sequence[float], *, load: float = 0.5, cores: int = 2, cycle: int = 1, slowed: tuple[str, ...] = (), agrees: bool = True
) -> Run:
    wall = tuple(ms)
    return Run(
        host=Host.here(),
        process=Process(
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
        parts_ms=(("forward", tuple(0.9 * t for t in wall)), ("argmax", tuple(0.1 * t for t in wall))),
        output=Output(max_abs_difference=0.1, max_abs=1, same_class=1, agrees=agrees),
        memory=Memory(kind="resident, above the built network", weights_bytes=100, peak_bytes=200),
        energy=Energy(reason="none"),
    )


def measured(monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[Run | str]], **changes: object) -> tuple[dict[str, Speed], list[str]]:
    """What `measure_speed` makes of these answers of the systems' processes, and the order in which it asked."""
    asked: list[str] = []

    def answer(task: SpeedTask) -> Run | str:
        asked.append(task.system.name)
        return answers[task.system.name].pop(0)

    monkeypatch.setattr(speed, "run_alone", answer)
    systems = {name: MSAF.swap(name=name) for name in answers}
    conditions = CONDITIONS.model_copy(update={"processes": max(map(len, answers.values()))} | changes)
    return measure_speed(systems, conditions, num_classes=5), asked


def test_systems_take_turns(monkeypatch: pytest.MonkeyPatch):
    found, asked = measured(monkeypatch, {"a": [run([1.0])] * 3, "b": [run([2.0])] * 3})
    assert asked == ["a", "b", "a", "b", "a", "b"]
    assert [len(s.processes) for s in found.values()] == [3, 3]


def test_a_dead_process_costs_its_system_and_no_other(monkeypatch: pytest.MonkeyPatch):
    found, asked = measured(monkeypatch, {"a": [run([1.0]), "it died", run([1.0])], "b": [run([2.0])] * 3})
    assert asked == ["a", "b", "a", "b", "b"]
    assert (found["a"].reason, found["a"].latency, found["a"].fps, found["a"].processes) == ("it died", None, None, ())
    assert not found["a"].converged
    assert found["b"].fps == 500
    assert compare(found["a"], found["b"]) is None


def test_fps_is_1000_over_the_mean_latency(monkeypatch: pytest.MonkeyPatch):
    """Not the mean of the frames' rates, which would be 505 here."""
    found, _ = measured(monkeypatch, {"a": [run([1.0, 99.0])]})
    assert found["a"].fps == pytest.approx(20)


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


@pytest.mark.parametrize(("n", "stated"), [(1, "p50"), (63, "p50"), (64, "p50 p90"), (661, "p50 p90"), (662, "p50 p90 p99")])
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
        Run.model_validate(run([1.0]).model_dump() | {"wall_ms": [1.0, wrong]})


@pytest.mark.parametrize(
    "wrong", [{"size": (0, 4)}, {"threads": 0}, {"processes": 0}, {"seconds": 0}, {"timeout": float("nan")}, {"mode": "x"}]
)
def test_conditions_that_cannot_be(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SpeedConditions.model_validate(CONDITIONS.model_dump() | wrong)


def test_what_speaks_against_a_number(monkeypatch: pytest.MonkeyPatch):
    quiet = measured(monkeypatch, {"a": [run([10.0]), run([10.5])]})[0]["a"]
    assert quiet.flags == ()
    assert quiet.converged
    loud = run([12.0], load=5.2, slowed=("hardware slowdown",), agrees=False)
    loud = loud.model_copy(update={"process": loud.process.model_copy(update={"converged": False, "settled": False})})
    found = measured(monkeypatch, {"a": [run([10.0]), loud]}, threads=4)[0]["a"]
    flags = dict(found.flags)
    assert set(flags) == {"other output", "not converged", "not settled", "unstable", "contended", "oversubscribed", "slowed"}
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


def test_faster_and_slower_need_the_whole_interval(monkeypatch: pytest.MonkeyPatch):
    a, b = [10.0, 10.3, 9.9], [12.0, 12.4, 11.8]
    found = compared(monkeypatch, a, b)
    assert found is not None
    assert found.verdict == "faster"
    logs = np.log(np.array(b) / a)
    half = 4.302652729911275 * logs.std(ddof=1) / 3**0.5  # Student's t, two degrees of freedom
    assert (found.ratio, found.low, found.high) == pytest.approx(tuple(np.exp([logs.mean(), logs.mean() - half, logs.mean() + half])))
    other = compared(monkeypatch, b, a)
    assert other is not None
    assert other.verdict == "slower"
    assert other.ratio == pytest.approx(1 / found.ratio)


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        ([10.0, 10.0, 10.0], [10.05, 10.06, 10.05], "noise floor"),  # a difference that is there, and less than 1 %
        ([10.0, 10.4, 9.8], [10.5, 10.2, 10.6], "noise floor"),
        ([10.0, 10.0, 14.0], [20.0, 20.0, 28.0], "unstable"),
        ([10.0], [20.0], "one process"),
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
    assert (round(found.exponent or 0, 2), *(round(a, 2) for a in found.piecewise)) == (0.74, 0.73, 0.76)


def test_the_papers_three_numbers_are_those_of_its_table():
    printed = {claim.row: claim.value for claim in read_table("1").claims() if claim.metric == "fps"}
    assert list(PAPER_FPS.values()) == [printed[row] for row in ("MSAF ResNet18 512", "MSAF ResNet18 768", "MSAF ResNet18")]


def test_scaling_of_one_size_is_not_there():
    assert scaling([((4, 8), 1.0)]) == (None, ())
    assert scaling([((4, 8), 2.0), ((8, 16), 8.0)]).exponent == pytest.approx(1)


def test_a_real_process():
    conditions = CONDITIONS.model_copy(update={"region": "e2e", "seconds": 0.2, "processes": 1})
    found = measure_speed({"a": SMALL}, conditions, num_classes=5)["a"]
    assert found.latency is not None, found.reason
    assert found.latency.samples == found.processes[0].samples > 0
    assert found.processes[0].warm_up > 0
    assert found.host.threads == 1
    parts = dict(found.parts)
    assert list(parts) == ["upload", "forward", "argmax", "download"]
    assert sum(part.mean for part in parts.values()) == pytest.approx(found.latency.mean)
    assert found.output is not None
    assert found.output.max_abs_difference < 1e-4  # stream against clip, both eager fp32
    assert found.memory is not None
    assert found.memory.weights_bytes > 40e6
    assert found.energy is not None
    assert found.energy.reason
    assert Speed.model_validate_json(found.model_dump_json()) == found


def test_a_system_that_cannot_be_built_is_a_line():
    found = run_alone(SpeedTask(system=SMALL.swap(options={"heads": 5}), conditions=CONDITIONS, num_classes=5))
    assert isinstance(found, str)
    assert found.splitlines() == [found]
    assert "embed_dim" in found or "heads" in found


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by signal 9"),
        ("import sys; sys.exit(3)", "ended with 3"),
        ("print('hello')", "no valid report"),
        ("import time; time.sleep(60)", "not done after"),
    ],
)
def test_a_process_that_gives_no_report(monkeypatch: pytest.MonkeyPatch, program: str, said: str):
    real = subprocess.run

    def instead(command: list[str], **how: object) -> object:
        return real([sys.executable, "-c", program], **how) if "speed.process" in command[-1] else real(command, **how)  # pyright: ignore

    monkeypatch.setattr(speed, "START_S", 2)
    monkeypatch.setattr(speed.subprocess, "run", instead)
    conditions = CONDITIONS.model_copy(update={"seconds": 0.1, "timeout": 0.1})
    found = run_alone(SpeedTask(system=SMALL, conditions=conditions, num_classes=5))
    assert isinstance(found, str)
    assert said in found


def test_no_torch_to_read_a_result():
    program = "import sys, msaf_bench.analyzers.speed.measure, msaf_bench.analyzers.speed.comparison; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
