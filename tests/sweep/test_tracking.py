"""Trackers: what they log, how a run goes on, and how one fails."""

import csv
import sys
from collections import defaultdict
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest
from heard import Heard
from made_records import done, failed
from tensorboardX.proto.event_pb2 import Event

from msaf_bench.catalog import read_conditions, read_system, read_table
from msaf_bench.cli import main
from msaf_bench.cli.options import TRACKERS as OFFERED
from msaf_bench.errors import HostError, UsageError
from msaf_bench.records import Consistency, Pulse
from msaf_bench.spec import Trial
from msaf_bench.spec.stand_ins import shrunk
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.tracking import TRACKERS, check_trackers, tracked

SMOKE = read_conditions("smoke", "street", systems=True).model_copy(update={"steps": 40})


@pytest.fixture(scope="module")
def trials():
    """Two seeds of one system, of 40 steps."""
    system = shrunk(read_system("msaf-r18"), SMOKE)
    return [Trial(system=system, conditions=SMOKE, seed=seed) for seed in (0, 1)]


def record_of(trial):
    """A finished record with all that is logged."""
    pulses = (Pulse(part="motion", live=True), Pulse(part="state", live=False, reason="dead"))
    consistency = (Consistency(preset="clean", flow="exact", value=70.0),)
    update = {"pulses": pulses, "consistency": consistency, "params": 9}
    return done(trial).model_copy(update=update)


RESULTS = {
    "score/miou": 50.0, "score/tc_clean": 70.0, "cost/params": 9, "cost/seconds": 110.0,
    "live/motion": 1.0, "live/state": 0.0,
}  # fmt: skip


def run_until_20(events, trial):
    events.step(trial, 10, 2.0)
    events.step(trial, 20, 1.5)
    events.validated(trial, 20, 30.0)


def go_on_from_10(events, trial):
    events.step(trial, 20, 1.5)
    events.validated(trial, 20, 30.0)
    events.step(trial, 40, 1.0)
    events.finished(record_of(trial))


LOGGED = {
    "train/loss": [(10, 2.0), (20, 1.5), (40, 1.0)],
    "validation/miou": [(20, 30.0)],
    **{name: [(40, value)] for name, value in RESULTS.items()},
}


def csv_of(folder):
    found = defaultdict(list)
    with (folder / "track" / "log.csv").open() as file:
        for line in csv.DictReader(file):
            name = line["row"], int(line["seed"])
            found[name, line["metric"]].append((int(line["step"]), float(line["value"])))
    return found


def events_of(folder):
    """The events of a folder of TensorBoard, file by file in the order of their making."""
    for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            yield Event.FromString(content[12 : 12 + length])
            content = content[16 + length :]


def scalars_of(folder):
    """The scalars as TensorBoard shows them: those from the step of a later start on are gone."""
    found = defaultdict(list)
    for event in events_of(folder):
        if event.session_log.status == 1:  # START
            for name, points in found.items():
                found[name] = [point for point in points if point[0] < event.step]
        for value in event.summary.value:
            if value.HasField("simple_value"):
                found[value.tag].append((event.step, pytest.approx(value.simple_value)))
    return dict(found)


def test_the_options_are_the_trackers():
    assert set(OFFERED) == set(TRACKERS)


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "worker died"])
def test_a_trial_that_goes_on_has_every_number_once(tmp_path, trials, stopped):
    names = ("csv", "tensorboard")
    heard = Heard()
    with tracked(heard, names, tmp_path) as events:
        run_until_20(events, trials[0])
        if not stopped:
            go_on_from_10(events, trials[0])
            events.finished(record_of(trials[0]))  # told twice
    if stopped:
        with tracked(heard, names, tmp_path) as events:
            go_on_from_10(events, trials[0])
    assert heard.notes == []
    assert (len(heard.steps), len(heard.validations)) == (4, 2)
    logged = {metric: points for (_, metric), points in csv_of(tmp_path).items()}
    assert logged == {**LOGGED, "failed": [(40, 0.0)]}
    assert scalars_of(tmp_path / "track" / "tensorboard" / "msaf-r18-seed-0") == LOGGED


def test_rows_have_the_labels_of_the_table(tmp_path):
    plan = make_plan(read_table("3"), read_conditions("smoke", "street"), ["w/o DCN"], seeds=1)
    with tracked(Heard(), ["csv", "tensorboard"], tmp_path) as events:
        events.begun(plan, {})
        for trial in (plan.pretraining(), *plan.trials()):
            if trial:
                events.step(trial, 1, 1.0)
    rows = {row for (row, _), _ in csv_of(tmp_path)}
    assert rows >= {"w/o DCN", "MSAF"}
    folders = {path.name for path in (tmp_path / "track" / "tensorboard").iterdir()}
    assert folders >= {"w-o-DCN-seed-0", "MSAF-seed-0"}


def test_trials_of_one_name_are_told_apart(tmp_path, trials):
    other = trials[0].model_copy(update={"conditions": SMOKE.model_copy(update={"lr": 0.5})})
    with tracked(Heard(), ["tensorboard"], tmp_path) as events:
        for trial in (trials[0], other):
            events.step(trial, 1, 1.0)
    folders = {path.name for path in (tmp_path / "track" / "tensorboard").iterdir()}
    assert folders == {"msaf-r18-seed-0", f"msaf-r18-seed-0-{other.id}"}


def test_conditions_are_the_hyper_parameters(tmp_path, trials):
    with tracked(Heard(), ["tensorboard"], tmp_path) as events:
        events.finished(record_of(trials[0]))
    summaries = [value for event in events_of(next((tmp_path / "track").glob("t*/*")))
                 for value in event.summary.value]  # fmt: skip
    content = b"".join(value.metadata.plugin_data.content for value in summaries)
    for text in (b"backbone", b"steps", b"street", b"msaf-r18"):
        assert text in content


def test_a_failed_trial_says_so(tmp_path, trials):
    with tracked(Heard(), ["csv", "tensorboard"], tmp_path) as events:
        events.step(trials[0], 10, 2.0)
        events.finished(failed(trials[0]))
    assert csv_of(tmp_path)[("msaf-r18", 0), "failed"] == [(40, 1.0)]
    tags = [value.tag for event in events_of(tmp_path / "track/tensorboard/msaf-r18-seed-0")
            for value in event.summary.value]  # fmt: skip
    assert any("failed" in tag for tag in tags)


def test_a_cut_line_is_left_out(tmp_path, trials):
    with tracked(Heard(), ["csv"], tmp_path) as events:
        run_until_20(events, trials[0])
    with (tmp_path / "track" / "log.csv").open("a") as file:
        file.write(f"{trials[0].id},msaf")
    with tracked(Heard(), ["csv"], tmp_path) as events:
        go_on_from_10(events, trials[0])
    assert {metric for _, metric in csv_of(tmp_path)} == {*LOGGED, "failed"}


def test_a_tracker_that_fails_is_dropped_with_a_note(tmp_path, trials):
    heard = Heard()
    (tmp_path / "track").mkdir()
    (tmp_path / "track" / "tensorboard").write_text("in the way")
    with tracked(heard, ["tensorboard", "csv"], tmp_path) as events:
        run_until_20(events, trials[0])
        go_on_from_10(events, trials[0])
    assert len(heard.notes) == 1
    assert heard.notes[0].startswith("--track tensorboard: logging stopped: ")
    assert csv_of(tmp_path)[("msaf-r18", 0), "train/loss"] == LOGGED["train/loss"]
    assert len(heard.records) == 1


def test_without_trackers_nothing_is_written(tmp_path):
    heard = Heard()
    with tracked(heard, (), tmp_path) as events:
        assert events is heard
    assert list(tmp_path.iterdir()) == []


def stand_in(monkeypatch, name, **content):
    """A module of this name, with this content, in the place of the package."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)
    return module


class Wandb:
    """Records what W&B is told. Like it, a run keeps the first of a step that comes again."""

    def __init__(self):
        self.runs, self.logged_in = {}, True
        self.Settings = lambda **settings: settings

    def login(self, prompt, timeout):
        return self.logged_in

    def init(self, **about):
        run = self.runs.setdefault(about["id"], SimpleNamespace(numbers={}, summary={}, ends=[]))
        run.about, run.finish = about, lambda exit_code: run.ends.append(exit_code)

        def log(numbers, step):
            if step >= max(run.numbers, default=0):
                run.numbers.setdefault(step, {}).update(numbers)

        run.log = log
        return run


@pytest.fixture
def wandb(monkeypatch):
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_RUN_GROUP"):
        monkeypatch.delenv(name, raising=False)
    fake = Wandb()
    stand_in(monkeypatch, "wandb", Settings=fake.Settings, login=fake.login, init=fake.init)
    return fake


def test_wandb_has_a_run_for_each_trial(tmp_path, trials, wandb):
    folder = tmp_path / "my-run"
    for act in (run_until_20, go_on_from_10):
        with tracked(Heard(), ["wandb"], folder) as events:
            act(events, trials[0])
            if act is go_on_from_10:
                events.step(trials[1], 10, 2.0)
                events.finished(failed(trials[1]))
    one, two = wandb.runs.values()
    assert one.about["name"] == "msaf-r18, seed 0"
    assert (one.about["project"], one.about["group"]) == ("msaf-bench", "my-run")
    assert one.about["config"].items() >= {"steps": 40, "row": "msaf-r18", "seed": 0}.items()
    assert one.about["dir"] == str(folder / "track")
    assert one.numbers == {
        10: {"train/loss": 2.0}, 20: {"train/loss": 1.5, "validation/miou": 30.0},
        40: {"train/loss": 1.0},
    }  # fmt: skip
    assert (one.summary, one.ends) == (RESULTS, [1, 0])  # stopped, then finished
    assert (two.summary, two.ends) == ({"failed": "non-finite loss"}, [1])


def test_the_same_trial_elsewhere_is_another_run(tmp_path, trials, wandb):
    for name in ("a", "b"):
        with tracked(Heard(), ["wandb"], tmp_path / name) as events:
            events.step(trials[0], 10, 2.0)
    assert len(wandb.runs) == 2


def test_wandb_without_login_is_one_line(monkeypatch, wandb):
    check_trackers(["wandb"])
    wandb.logged_in = False
    with pytest.raises(HostError, match="not logged in; run `wandb login`, or set WANDB_MOD"):
        check_trackers(["wandb"])
    monkeypatch.setenv("WANDB_MODE", "offline")
    check_trackers(["wandb"])


class Client:
    """Records what MLflow is told."""

    uris, runs = [], {}

    def __init__(self, uri=None):
        self.uris.append(uri)

    def get_experiment_by_name(self, name):
        return None

    def create_experiment(self, name):
        return name

    def search_runs(self, experiments, filter_string):
        return [run for key, run in self.runs.items() if f"'{key}'" in filter_string]

    def create_run(self, experiment, run_name, tags):
        info = SimpleNamespace(run_id=str(len(self.runs)))
        run = SimpleNamespace(info=info, name=run_name, metrics=[], params=[], states=[], tags=tags)
        self.runs[tags["msaf-bench.trial"]] = run
        return run

    def _run(self, run_id):
        return list(self.runs.values())[int(run_id)]

    def get_metric_history(self, run_id, key):
        return [metric for metric in self._run(run_id).metrics if metric.key == key]

    def log_batch(self, run_id, metrics=(), params=()):
        self._run(run_id).metrics += metrics
        self._run(run_id).params += params

    def update_run(self, run_id, status):
        self._run(run_id).states.append(status)

    def set_terminated(self, run_id, status):
        self._run(run_id).states.append(status)

    def set_tag(self, run_id, key, value):
        self._run(run_id).tags[key] = value


@pytest.fixture
def mlflow(monkeypatch):
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(Client, "uris", [])
    monkeypatch.setattr(Client, "runs", {})
    place = SimpleNamespace(uri="")
    stand_in(
        monkeypatch,
        "mlflow",
        MlflowClient=Client,
        is_tracking_uri_set=lambda: bool(place.uri),
        get_tracking_uri=lambda: place.uri,
    )
    stand_in(
        monkeypatch,
        "mlflow.entities",
        Metric=lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step),
        Param=lambda key, value: (key, value),
    )
    return place


def test_mlflow_has_a_run_for_each_trial(tmp_path, trials, mlflow):
    for act in (run_until_20, go_on_from_10):
        with tracked(Heard(), ["mlflow"], tmp_path) as events:
            act(events, trials[0])
            if act is go_on_from_10:
                events.step(trials[1], 10, 2.0)
                events.finished(failed(trials[1]))
    one, two = Client.runs.values()
    assert one.name == "msaf-r18, seed 0"
    assert {("steps", "40"), ("row", "msaf-r18")} <= set(one.params)
    logged = defaultdict(list)
    for metric in one.metrics:
        logged[metric.key].append((metric.step, metric.value))
    assert logged == LOGGED
    assert one.states == ["KILLED", "RUNNING", "FINISHED"]
    assert (two.states, two.tags["failed"]) == (["FAILED"], "non-finite loss")
    assert Client.uris[0] == f"sqlite:///{tmp_path}/track/mlflow.db"


def test_mlflow_is_asked_before_the_training(mlflow):
    mlflow.uri = "http://127.0.0.1:9"
    with pytest.raises(HostError, match="--track mlflow: no server at MLFLOW_TRACKING_URI http"):
        check_trackers(["mlflow"])


def test_unknown_and_missing_trackers_are_one_line(monkeypatch):
    with pytest.raises(UsageError, match="unknown tracker 'tensorbord'; did you mean tensorboard"):
        check_trackers(["tensorbord"])
    monkeypatch.setattr("msaf_bench.sweep.tracking.find_spec", lambda name: None)
    with pytest.raises(HostError, match=r"--track wandb: wandb is not installed; pip install 'msa"):
        check_trackers(["wandb"])


@pytest.mark.parametrize("command", [["ablate", "3", "--dry-run"], ["train", "msaf-r18"]])
def test_commands_check_trackers_before_they_train(capsys, tmp_path, command):
    assert main([*command, "--track", "csv,nothing", "--reports", str(tmp_path / "r")]) == 2
    assert "unknown tracker 'nothing'" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()
