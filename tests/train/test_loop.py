import shutil
import threading

import pytest
import torch

from msaf_bench import build
from msaf_bench.catalog import read_conditions, read_table, systems_of
from msaf_bench.data import open_split
from msaf_bench.errors import DataError
from msaf_bench.spec import System
from msaf_bench.train import checkpoint, course
from msaf_bench.train.checkpoint import newest_checkpoint, read_checkpoint, restore
from msaf_bench.train.divergence import NonFiniteLossError
from msaf_bench.train.loop import train

CONDITIONS = read_conditions("smoke", "street", {"steps": 24, "checkpoint_every": 10})
SYSTEM = systems_of(read_table("3"), CONDITIONS)["MSAF"]
CLIPS = open_split(CONDITIONS, "train")


class Killed(Exception):
    pass


def run(
    folder, conditions=CONDITIONS, seed=0, die_at=None, notes=None, system=SYSTEM, error=Killed,
    **options
):  # fmt: skip
    torch.manual_seed(seed)
    net = build(system, len(CLIPS.classes))

    def on_step(step, loss):
        if step == die_at:
            raise error

    note = notes.append if notes is not None else lambda text: None
    curve = train(
        net, CLIPS, conditions, seed, system=system, folder=folder, on_step=on_step, on_note=note,
        **options
    ).loss  # fmt: skip
    return net.state_dict(), curve


def equal(a, b):
    return all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.slow
def test_equal_seeds_give_equal_weights(tmp_path):
    first, second, other = (
        run(tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert equal(first[0], second[0])
    assert first[1] == second[1]
    assert not equal(first[0], other[0])
    assert first[1][-1][0] == 24


@pytest.mark.slow
def test_an_interrupted_run_ends_as_an_undisturbed_one(tmp_path):
    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "cut", die_at=20)
    assert newest_checkpoint(tmp_path / "cut")[0].sidecar.step == 10
    resumed = run(tmp_path / "cut")
    assert equal(whole[0], resumed[0])
    assert whole[1] == resumed[1]


@pytest.mark.slow
@pytest.mark.parametrize("error", [Killed, KeyboardInterrupt])
def test_loader_threads_change_no_number_and_end_with_the_training(tmp_path, error):
    whole = run(tmp_path / "whole")
    with pytest.raises(error):
        run(tmp_path / "cut", die_at=20, error=error, loader_threads=4)
    assert not [t for t in threading.enumerate() if "loader" in t.name]
    resumed = run(tmp_path / "cut", loader_threads=1)
    assert equal(whole[0], resumed[0])
    assert whole[1] == resumed[1]


@pytest.mark.slow
def test_the_clock_keeps_a_training_that_asks_for_no_checkpoint_and_changes_nothing(
    tmp_path, monkeypatch
):
    conditions = CONDITIONS.model_copy(update={"checkpoint_every": 0})
    whole = run(tmp_path / "whole", conditions)
    monkeypatch.setattr(course, "CLOCK_S", 0)
    monkeypatch.setattr(course, "CLOCK_SHARE", float("inf"))
    with pytest.raises(Killed):
        run(tmp_path / "cut", conditions, die_at=20)
    assert newest_checkpoint(tmp_path / "cut")[0].sidecar.step == 10
    resumed = run(tmp_path / "cut", conditions)
    assert equal(whole[0], resumed[0])
    assert whole[1] == resumed[1]
    assert sorted(p.name for p in (tmp_path / "cut").iterdir()) == sorted(
        p.name for p in (tmp_path / "whole").iterdir()
    )
    monkeypatch.setattr(course, "CLOCK_S", 60)
    with pytest.raises(Killed):
        run(tmp_path / "unkept", conditions, die_at=20)
    assert newest_checkpoint(tmp_path / "unkept")[0] is None


@pytest.mark.slow
def test_dropout_is_drawn_alike_after_an_interruption(tmp_path):
    system = System(
        architecture="single-frame",
        slots={"backbone": {"use": "resnet10", "width": 8}, "head": {"use": "fcn", "dropout": 0.5}},
    )
    whole = run(tmp_path / "whole", system=system)
    with pytest.raises(Killed):
        run(tmp_path / "cut", die_at=20, system=system)
    torch.rand(3)
    assert equal(whole[0], run(tmp_path / "cut", system=system)[0])


@pytest.mark.slow
def test_a_finished_run_is_not_trained_again(tmp_path):
    whole = run(tmp_path)
    assert equal(whole[0], run(tmp_path, die_at=10)[0])


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0.0, 0.5, 0.999])
def test_a_damaged_checkpoint_is_said_and_the_older_one_used(tmp_path, cut):
    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "cut", CONDITIONS.model_copy(update={"checkpoint_every": 5}), die_at=20)
    newest = newest_checkpoint(tmp_path / "cut")[0].path
    content = newest.read_bytes()
    newest.write_bytes(content[: int(cut * len(content))])
    notes = []
    resumed = run(tmp_path / "cut", notes=notes)
    assert len(notes) == 1
    assert newest.name in notes[0]
    assert "step 10" in notes[0]
    assert equal(whole[0], resumed[0])


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["not UTF-8", "gone", "empty", "a folder"])
def test_a_damaged_sidecar_is_said_and_the_older_checkpoint_used(tmp_path, damage):
    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "cut", CONDITIONS.model_copy(update={"checkpoint_every": 5}), die_at=20)
    sidecar = newest_checkpoint(tmp_path / "cut")[0].path.with_suffix(".json")
    content = bytearray(sidecar.read_bytes())
    content[30] ^= 0x80
    sidecar.unlink()
    if damage == "a folder":
        sidecar.mkdir()
    elif damage != "gone":
        sidecar.write_bytes(content if damage == "not UTF-8" else b"")
    notes = []
    if damage == "a folder":
        assert "step-0000015.json" in newest_checkpoint(tmp_path / "cut")[1][0]
        return  # nothing can be written in its place
    resumed = run(tmp_path / "cut", notes=notes)
    assert len(notes) == 1
    assert sidecar.name in notes[0]
    assert "step 10" in notes[0]
    assert equal(whole[0], resumed[0])


@pytest.mark.slow
def test_a_kill_between_sidecar_and_weights_leaves_nothing_behind(tmp_path, monkeypatch):
    plain = checkpoint.write_atomic

    def killed(path, content):
        if path.name == "step-0000020.safetensors":
            raise Killed
        plain(path, content)

    monkeypatch.setattr(checkpoint, "write_atomic", killed)
    with pytest.raises(Killed):
        run(tmp_path / "cut")
    monkeypatch.undo()
    found, damaged = newest_checkpoint(tmp_path / "cut")
    assert (found.sidecar.step, damaged) == (10, [])
    # of an older program, which wrote the weights first and removed them first
    (tmp_path / "cut" / "step-0000017.json").write_text("{}")
    run(tmp_path / "cut")
    assert sorted(p.name for p in (tmp_path / "cut").iterdir()) == [
        "step-0000020.json", "step-0000020.safetensors", "step-0000024.json",
        "step-0000024.safetensors",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_flipped_byte_is_found(tmp_path):
    run(tmp_path)
    path = newest_checkpoint(tmp_path)[0].path
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="sha256"):
        read_checkpoint(path)


@pytest.mark.slow
def test_weights_of_another_system_are_refused(tmp_path):
    run(tmp_path)
    other = build(systems_of(read_table("3"), CONDITIONS)["Baseline"], len(CLIPS.classes))
    with pytest.raises(DataError, match="do not fit"):
        restore(newest_checkpoint(tmp_path)[0], other)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_the_run_with_the_step(tmp_path, monkeypatch):
    from msaf_bench.architectures.msaf import MSAF

    plain, calls = MSAF.loss, []

    def poisoned(net, out, labels):
        calls.append(1)
        return plain(net, out, labels) * (float("nan") if len(calls) >= 13 else 1)

    monkeypatch.setattr(MSAF, "loss", poisoned)
    with pytest.raises(NonFiniteLossError, match="step 13"):
        run(tmp_path)


@pytest.mark.slow
def test_weights_after_a_bad_loss_are_never_kept(tmp_path, monkeypatch):
    from msaf_bench.architectures.msaf import MSAF

    plain, calls = MSAF.loss, []

    def once(net, out, labels):
        calls.append(1)
        return plain(net, out, labels) * (float("nan") if len(calls) == 5 else 1)

    conditions = CONDITIONS.model_copy(update={"checkpoint_every": 7})
    with monkeypatch.context() as patched:
        patched.setattr(MSAF, "loss", once)
        with pytest.raises(NonFiniteLossError, match="step 5"):
            run(tmp_path / "bad", conditions)
    assert newest_checkpoint(tmp_path / "bad")[0] is None
    assert equal(run(tmp_path / "bad", conditions)[0], run(tmp_path / "good", conditions)[0])


@pytest.mark.slow
def test_a_curve_goes_on_as_if_nothing_had_happened(tmp_path):
    conditions = CONDITIONS.model_copy(update={"checkpoint_every": 7})
    with pytest.raises(Killed):
        run(tmp_path / "cut", conditions, die_at=10)
    assert run(tmp_path / "cut", conditions)[1] == run(tmp_path / "whole", conditions)[1]


@pytest.mark.slow
def test_only_the_newest_checkpoints_stay(tmp_path):
    run(tmp_path, CONDITIONS.model_copy(update={"checkpoint_every": 4}))
    assert sorted(p.name for p in tmp_path.glob("*.safetensors")) == [
        "step-0000020.safetensors",
        "step-0000024.safetensors",
    ]


def weights_moved(state, system, conditions):
    torch.manual_seed(0)
    start = build(system, len(CLIPS.classes)).state_dict()
    return {
        name: (state[name] - start[name]).abs().max().item()
        for name in start
        if state[name].is_floating_point()
    }


@pytest.mark.slow
def test_a_frozen_backbone_stays_as_it_is_with_its_statistics(tmp_path):
    state, _ = run(tmp_path, CONDITIONS.model_copy(update={"backbone_rate": 0.0}))
    moved = weights_moved(state, SYSTEM, CONDITIONS)
    assert max(value for name, value in moved.items() if name.startswith("backbone.")) == 0
    assert max(value for name, value in moved.items() if name.startswith("motion.")) > 0


@pytest.mark.slow
def test_a_rate_slows_the_weights_that_it_names_and_no_others(tmp_path):
    """AdamW's first step moves every weight by about its rate, whatever the gradient."""
    conditions = CONDITIONS.model_copy(update={"steps": 1, "weight_decay": 0.0, "warmup": 0})
    plain, slow = (
        weights_moved(
            run(tmp_path / name, conditions.model_copy(update={"rates": rates}))[0],
            SYSTEM,
            conditions,
        )
        for name, rates in (("plain", ()), ("slow", (("offset", 0.01),)))
    )
    assert slow["motion.align.0.offset.weight"] == pytest.approx(
        0.01 * plain["motion.align.0.offset.weight"], rel=0.01
    )
    assert slow["motion.align.0.weight"] == plain["motion.align.0.weight"]


@pytest.mark.slow
def test_a_checkpoint_of_another_trial_or_step_is_not_taken(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path / "other", seed=1, die_at=20)
    shutil.copytree(tmp_path / "other", tmp_path / "own")
    notes, whole = [], run(tmp_path / "whole")
    assert equal(run(tmp_path / "own", notes=notes)[0], whole[0])
    assert "belongs to another trial" in notes[0]
    with pytest.raises(Killed):
        run(tmp_path / "renamed", die_at=20)
    for path in (tmp_path / "renamed").glob("step-0000010.*"):
        path.rename(path.with_name("step-0000020" + path.suffix))
    notes.clear()
    assert equal(run(tmp_path / "renamed", notes=notes)[0], whole[0])
    assert "holds step 10, which does not match its name" in notes[0]


@pytest.mark.slow
def test_what_lies_beside_the_checkpoints_stays(tmp_path):
    (tmp_path / "own" / "step-backup").mkdir(parents=True)
    (tmp_path / "own" / "step-best.safetensors").write_text("mine")
    run(tmp_path / "own")
    assert (tmp_path / "own" / "step-backup").is_dir()
    assert (tmp_path / "own" / "step-best.safetensors").read_text() == "mine"


@pytest.mark.slow
def test_weights_that_the_last_step_breaks_are_said(tmp_path, monkeypatch):
    plain = course._step

    def broken(learner, optimizer, batch, step, seed):
        loss = plain(learner, optimizer, batch, step, seed)
        if step + 1 == learner.conditions.steps:
            torch.nn.init.constant_(next(learner.net.parameters()), float("nan"))
        return loss

    monkeypatch.setattr(course, "_step", broken)
    with pytest.raises(NonFiniteLossError, match=r"non-finite weights .* after step 24"):
        run(tmp_path / "bad")
    assert newest_checkpoint(tmp_path / "bad")[0].sidecar.step == 20
