"""Validation while training: it changes nothing, survives an interruption, and keeps the best."""

import pytest
import torch

from msaf_bench import build
from msaf_bench.catalog import read_conditions, read_table, systems_of
from msaf_bench.data import open_split
from msaf_bench.sweep.evaluation import validation_miou
from msaf_bench.train import course
from msaf_bench.train.checkpoint import newest_checkpoint, read_checkpoint, steps_in
from msaf_bench.train.loop import train
from msaf_bench.train.validation import best_step, is_due, needed_steps, validated

CONDITIONS = read_conditions("smoke", "street", {"steps": 12, "validate_every": 2})
BEST = CONDITIONS.model_copy(update={"keep": "best"})
SYSTEM = systems_of(read_table("3"), CONDITIONS)["MSAF"]
CLIPS, HELD = (open_split(CONDITIONS, split) for split in ("train", "validate"))
#: what a made-up validation finds: the best at step 6, and again at step 10
FOUND = {2: 10.0, 4: 9.0, 6: 30.0, 8: 20.0, 10: 30.0, 12: 11.0}


class Killed(Exception):
    pass


def run(
    folder, conditions=CONDITIONS, *, found=None, die_at=None, validate=True, notes=None, heard=None
):
    """The network's weights after a training, what it left, and its weights after each step."""
    torch.manual_seed(0)
    net = build(SYSTEM, len(CLIPS.classes))
    seen = {}

    def on_step(step, loss):
        seen[step] = {k: v.clone() for k, v in net.state_dict().items()}
        if step == die_at:
            raise Killed

    def measured():
        return validation_miou(net, HELD, conditions, "cpu") if found is None else found[max(seen)]

    trained = train(
        net,
        CLIPS,
        conditions,
        0,
        system=SYSTEM,
        folder=folder,
        validate=measured if validate else None,
        on_step=on_step,
        on_note=notes.append if notes is not None else lambda text: None,
        on_validation=lambda *point: heard.append(point) if heard is not None else None,
    )
    return net.state_dict(), trained, seen


def equal(a, b):
    return all(torch.equal(a[k], b[k]) for k in a)


def test_it_is_due_every_so_many_steps_and_at_the_end():
    conditions = CONDITIONS.model_copy(update={"steps": 7, "validate_every": 3})
    assert [done for done in range(1, 8) if is_due(done, conditions)] == [3, 6, 7]
    never = CONDITIONS.model_copy(update={"validate_every": 0})
    assert not is_due(12, never)


def test_the_best_step_is_the_first_of_equal_ones():
    assert best_step(tuple(FOUND.items()), 12) == 6
    assert best_step(tuple(FOUND.items()), 4) == 2
    assert best_step((), 12) == 0


def test_the_best_up_to_each_of_the_newest_checkpoints_is_needed(tmp_path):
    (tmp_path / "step-0000004.safetensors").touch()
    assert needed_steps(tmp_path, tuple(FOUND.items()), 6) == {2, 6}


def test_all_modules_are_back_in_their_modes_whatever_happens():
    net = build(SYSTEM, len(CLIPS.classes)).train()
    net.backbone.eval()
    modes = [module.training for module in net.modules()]

    def fails():
        net.eval()
        raise Killed

    with pytest.raises(Killed):
        validated(net, fails)
    assert [module.training for module in net.modules()] == modes
    assert validated(net, lambda: float(net.eval().training)) == 0.0
    assert [module.training for module in net.modules()] == modes


@pytest.mark.slow
def test_the_weights_after_every_step_are_those_of_a_training_without(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "LOG_EVERY", 1)
    heard = []
    checked, plain = run(tmp_path / "a", heard=heard), run(tmp_path / "b", validate=False)
    assert checked[2].keys() == plain[2].keys() == set(range(1, 13))
    assert all(equal(checked[2][step], plain[2][step]) for step in plain[2])
    assert checked[1].loss == plain[1].loss
    assert [step for step, _ in checked[1].validation] == [2, 4, 6, 8, 10, 12]
    assert all(0 < miou < 100 for _, miou in checked[1].validation)
    assert heard == checked[1].validation
    assert plain[1].validation == []
    sidecar = newest_checkpoint(tmp_path / "a")[0].sidecar
    assert list(sidecar.validation) == checked[1].validation
    assert sidecar.kept_step == checked[1].kept_step == 0


@pytest.mark.slow
def test_the_best_weights_are_kept_and_the_files_are_those_of_any_training(tmp_path):
    weights, trained, seen = run(tmp_path, BEST, found=FOUND)
    assert trained.kept_step == 6
    assert equal(weights, seen[6])
    assert not equal(weights, seen[12])
    assert steps_in(tmp_path) == [12]
    kept = newest_checkpoint(tmp_path)[0]
    assert (kept.sidecar.step, kept.sidecar.kept_step) == (12, 6)
    assert equal(seen[6], {k.removeprefix("model."): v for k, v in kept.tensors.items()})
    again, finished, _ = run(tmp_path, BEST, found=FOUND, die_at=2)
    assert equal(again, weights)
    assert finished == trained


@pytest.mark.slow
@pytest.mark.parametrize("die_at", [2, 5, 8, 9, 12])
def test_an_interrupted_training_ends_as_an_undisturbed_one(tmp_path, monkeypatch, die_at):
    monkeypatch.setattr(course, "LOG_EVERY", 1)
    kept = BEST.model_copy(update={"checkpoint_every": 3})
    whole = run(tmp_path / "whole", kept, found=FOUND)
    with pytest.raises(Killed):
        run(tmp_path / "cut", kept, found=FOUND, die_at=die_at)
    resumed = run(tmp_path / "cut", kept, found=FOUND)
    assert equal(whole[0], resumed[0])
    assert whole[1] == resumed[1]
    assert steps_in(tmp_path / "cut") == steps_in(tmp_path / "whole") == [9, 12]
    assert read_checkpoint(tmp_path / "cut" / "step-0000012.safetensors").sidecar.kept_step == 6


@pytest.mark.slow
def test_best_weights_that_are_gone_are_trained_again(tmp_path, monkeypatch):
    kept = BEST.model_copy(update={"checkpoint_every": 3})
    whole = run(tmp_path / "whole", kept, found=FOUND)
    with pytest.raises(Killed):
        run(tmp_path / "cut", kept, found=FOUND, die_at=10)
    assert steps_in(tmp_path / "cut") == [6, 9]
    (tmp_path / "cut" / "step-0000006.safetensors").write_bytes(b"cut")
    notes = []
    resumed = run(tmp_path / "cut", kept, found=FOUND, notes=notes)
    assert len(notes) == 1
    assert "step-0000006.safetensors" in notes[0]
    assert "going on from step 0" in notes[0]
    assert equal(whole[0], resumed[0])
