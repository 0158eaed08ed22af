"""Trials whose training is validated: the record, the scored weights, the pre-training."""

import pytest
import torch
from heard import Heard

from msaf_bench.analyzers.miou import miou
from msaf_bench.analyzers.scoring import score
from msaf_bench.architectures import build
from msaf_bench.catalog import read_conditions, read_table, systems_of
from msaf_bench.data import open_split
from msaf_bench.errors import DataError
from msaf_bench.records import read_record
from msaf_bench.spec import Trial
from msaf_bench.sweep.driver import run_sweep
from msaf_bench.sweep.evaluation import validation_miou
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.trial import run_trial
from msaf_bench.sweep.workspace import Setting, Workspace
from msaf_bench.train.checkpoint import newest_checkpoint, restore
from msaf_bench.train.features import features_of

CHANGES = {"steps": 6, "validate_every": 2, "keep": "best", "flow": "none", "consistency": ()}
CONDITIONS = read_conditions("smoke", "street", CHANGES)
SYSTEM = systems_of(read_table("3"), CONDITIONS)["Baseline"]


def network(folder):
    """The network of the last checkpoint in a folder."""
    found = newest_checkpoint(folder)[0]
    net = build(SYSTEM, found.sidecar.num_classes)
    restore(found, net)
    return net


@pytest.mark.slow
def test_the_scored_network_is_that_of_the_best_validation(tmp_path):
    trial = Trial(system=SYSTEM, conditions=CONDITIONS, seed=0)
    setting = Setting(Workspace(tmp_path))
    record = run_trial(trial, setting)
    assert record.state == "done", record.reason
    assert read_record(setting.workspace.record(trial)) == record
    curve = dict(record.validation)
    assert list(curve) == [2, 4, 6]
    assert curve[record.kept_step] == max(curve.values())
    net = network(setting.workspace.checkpoints(trial))
    held, scored = (open_split(CONDITIONS, split) for split in ("validate", "score"))
    assert validation_miou(net, held, CONDITIONS, "cpu") == curve[record.kept_step]
    assert miou(score(net, scored).sum()) == miou(record.confusion.unpack().sum(0))


@pytest.mark.slow
def test_the_pre_training_leaves_out_what_its_rows_leave_out(tmp_path):
    conditions = read_conditions(
        "smoke",
        "street",
        CHANGES | {"steps": 4, "pretrain_steps": 3, "backbone_rate": 0, "draws": 1},
    )
    plan = make_plan(
        read_table("3").model_copy(update={"reference": "Baseline"}), conditions, ["Baseline"], 1
    )
    before = plan.pretraining()
    assert (before.conditions.validate_every, before.conditions.keep) == (3, "last")
    heard = Heard()
    run_sweep(plan, Setting(Workspace(tmp_path)), heard)
    pretrained, record = (
        read_record(tmp_path / "records" / f"{t.id}.json") for t in (before, *plan.trials())
    )
    assert pretrained.data == record.data
    assert "[0:6]/" in record.data
    assert [step for step, _ in pretrained.validation] == [3]
    assert [step for step, _ in record.validation] == [2, 4]
    assert [(step, miou) for name, step, miou in heard.validations if name != before.id] == list(
        record.validation
    )
    assert (pretrained.kept_step, record.kept_step > 0) == (0, True)


@pytest.mark.slow
def test_features_of_a_frozen_backbone_give_the_same_validation(tmp_path):
    conditions = CONDITIONS.model_copy(update={"backbone_rate": 0.0, "draws": 2})
    held = open_split(conditions, "validate")
    torch.manual_seed(0)
    net = build(SYSTEM, len(held.classes))
    features = features_of(net, held, conditions, "validate", tmp_path, "cpu")
    assert features.clips == len(held)
    assert validation_miou(net, held, conditions, "cpu", features) == pytest.approx(
        validation_miou(net, held, conditions, "cpu")
    )


def test_clips_without_any_label_cannot_be_validated_on(monkeypatch):
    held = open_split(CONDITIONS, "validate")
    void = [held[i]._replace(label=held[i].label * 0 + 255) for i in range(len(held))]
    monkeypatch.setattr(type(held), "__getitem__", lambda _, i: void[i])
    net = build(SYSTEM, len(held.classes))
    with pytest.raises(DataError, match="no labelled pixel; set validate_every=0"):
        validation_miou(net, held, CONDITIONS, "cpu")
