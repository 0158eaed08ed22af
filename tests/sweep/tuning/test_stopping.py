"""Early stopping: attempts of a row are compared with each other alone."""

from dataclasses import dataclass, field

import pytest
from heard import Heard

from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.spec.search import Space
from msaf_bench.sweep.executors import Cluster, Stops
from msaf_bench.sweep.on_ray.stopping import GroupScheduler
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.tuning.attempts import AttemptKeeper, read_attempts
from msaf_bench.sweep.workspace import Setting, Workspace
from msaf_bench.tuning import prepare, run

STEPS = 80


@dataclass(eq=False)
class TuneTrial:
    """What a scheduler knows of a trial of Ray Tune."""

    trial_id: str
    config: dict
    last_result: dict = field(default_factory=dict)


def reported(kind, curves, groups):
    """What a scheduler says of each trial at its validations; it ends with the first STOP."""
    stops = Stops(kind, groups, every=10, heard={})
    scheduler = GroupScheduler(stops, list(curves), [STEPS] * len(curves))
    said = {}
    for index, (name, curve) in enumerate(curves.items()):
        trial = TuneTrial(name, {"index": index})
        scheduler.on_trial_add(None, trial)
        said[name] = []
        for step, miou in curve:
            result = {"step": step, "validation": miou, "training_iteration": 1}
            said[name].append(scheduler.on_trial_result(None, trial, result))
            if said[name][-1] == "STOP":
                break
        else:
            scheduler.on_trial_complete(None, trial, result)
    return said


def curve(miou):
    return [(step, miou) for step in range(10, STEPS + 1, 10)]


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_the_worse_of_a_row_are_stopped_and_the_better_are_not(kind):
    curves = {"a": curve(50.0), "b": curve(51.0), "c": curve(10.0), "d": curve(60.0)}
    said = reported(kind, curves, dict.fromkeys(curves, "row"))
    assert said["c"][-1] == "STOP"
    assert set(said["d"]) == {"CONTINUE"}


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_rows_are_not_compared(kind):
    """A row at 10 mIoU keeps its attempts beside one at 60."""
    curves = {
        name: curve(miou) for name, miou in zip("abcd", (60.0, 60.0, 10.0, 10.0), strict=True)
    }
    said = reported(kind, curves, {"a": "x", "b": "x", "c": "y", "d": "y"})
    assert {word for words in said.values() for word in words} == {"CONTINUE"}


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_an_attempt_at_its_last_step_is_not_stopped(kind):
    late = [*curve(50.0)[:-1], (STEPS, 0.0)]
    curves = {"a": curve(50.0), "b": curve(50.0), "c": late}
    assert reported(kind, curves, dict.fromkeys(curves, "row"))["c"][-1] == "CONTINUE"


@pytest.mark.slow
def test_on_ray_the_worst_attempts_stop_and_an_earlier_call_is_heard_again(tmp_path):
    conditions = read_conditions("smoke", "street", {"steps": 8})
    table = read_table("3").model_copy(update={"reference": "Baseline"})
    space = Space.model_validate({"name": "own", "search": {"lr": {"log": [1e-5, 0.05]}}})
    setting = Setting(Workspace(tmp_path))

    def tuning(**how):
        return prepare(
            make_plan(table, conditions, ("Baseline",), 1), setting, space=space, trials=6,
            method="random", stopping="asha", rungs=4, seed=0, cluster=Cluster(workers=2), **how,
        )  # fmt: skip

    outcome = run(tuning(resume=False), Heard())
    attempts = read_attempts(setting.workspace)
    ended = {each.number: each.state for each in attempts}
    assert len(ended) == 6
    assert set(ended.values()) == {"done", "stopped"}
    assert all(each.steps < 8 for each in attempts if each.state == "stopped")
    ((_, row),) = outcome.tuned.rows
    assert row.stopped == list(ended.values()).count("stopped")
    # one attempt is taken away: the others are heard again and none of them runs
    gone = next(each for each in attempts if each.state == "stopped")
    (tmp_path / "attempts" / f"{gone.trial.id}.json").unlink()
    kept = [each for each in attempts if each is not gone]
    again = [gone.model_copy(update={"state": "begun", "curve": ()}), *kept]
    AttemptKeeper(again, setting.workspace, Heard()).keep(again[0])
    heard = Heard()
    run(tuning(resume=True), heard)
    assert {trial for trial, _ in heard.steps} <= {gone.trial.id}
    assert len(read_attempts(setting.workspace)) == 6
