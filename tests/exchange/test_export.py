"""`export`: programs that are compared, model cards, and what cannot be exported."""

import json
import re

import numpy as np
import pytest
import torch
import yaml
from made_records import done

import msaf_bench as mb
from msaf_bench.analyzers.cost.system import empty_network, outside_of
from msaf_bench.catalog import list_systems, read_conditions, read_system, read_table
from msaf_bench.cli import main
from msaf_bench.errors import GateError, UsageError
from msaf_bench.exchange import programs
from msaf_bench.exchange.card import NO_NUMBERS, model_card
from msaf_bench.exchange.programs import ABOUT, Program
from msaf_bench.exchange.source import checkpoint_source, random_source
from msaf_bench.records import Pulse, write_record
from msaf_bench.spec.stand_ins import shrunk
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.workspace import Workspace
from msaf_bench.train.checkpoint import Sidecar, read_checkpoint, save_checkpoint, training_id

SMOKE = read_conditions("smoke", "street").model_copy(update={"watermark": ""})
WIDE = read_conditions("smoke", "street", systems=True)
#: systems whose flow is OpenCV's
NOT_TORCH = {
    "grfp-dilation8", "grfp-psp101", "mc-densenet", "mc-segnet", "netwarp-dilation8",
    "netwarp-psp101",
}  # fmt: skip


def record_of(trial, percent):
    pulses = (
        Pulse(part="backbone", live=True),
        Pulse(part="head", live=trial.seed == 0, reason="its output does not vary"),
    )
    return done(trial, percent).model_copy(update={"pulses": pulses, "params": 12_345_678})


def checkpoint_of(workspace, trial, step):
    net = mb.build(trial.system.trained(), 2)
    sidecar = Sidecar(
        sha256="", step=step, trial=training_id(trial), system=trial.system, num_classes=2
    )
    return save_checkpoint(workspace.checkpoints(trial), net, None, sidecar)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run of two rows and two seeds; the weights of seed 0 of the first are here,
    of two steps.
    """
    torch.manual_seed(0)
    workspace = Workspace(tmp_path_factory.mktemp("run"))
    plan = make_plan(read_table("3"), SMOKE, ["Baseline"], seeds=2)
    workspace.folder.mkdir(exist_ok=True)
    workspace.keep(plan)
    for index, trial in enumerate(plan.trials()):
        write_record(workspace.records, record_of(trial, 40 + index))
    first = plan.trials()[0]
    return {
        "workspace": workspace,
        "trial": first,
        "early": checkpoint_of(workspace, first, SMOKE.steps - 1),
        "last": checkpoint_of(workspace, first, SMOKE.steps),
    }


def program_of(source, path, size=(32, 64)):
    return Program(path, size, 1, source.net.frames, 2e-7, 100.0)


def card_of(checkpoint, tmp_path):
    source = checkpoint_source(checkpoint, ())
    return model_card(source, program_of(source, tmp_path / "m.pt2"))


def front_of(card):
    return yaml.safe_load(card.split("---\n")[1])


def code_of(card):
    return re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]


def test_a_card_has_the_numbers_of_the_trial_and_of_its_row(run, tmp_path):
    card = card_of(run["last"], tmp_path)
    assert "| | this checkpoint | row 'Baseline', 2 seeds |" in card
    miou = re.search(r"\| mIoU, % \| (\S+) \| (.+) \|", card)
    assert miou[1] == "40.0"
    assert re.fullmatch(r"\d\d\.\d \(.* to .*\)", miou[2])
    assert "| parameters, million | 12.346 | 12.346 |" in card
    assert "- head: not live in 1 of 2 seeds: its output does not vary" in card
    assert "GMAC" not in card  # the records have no cost
    assert "latency" not in card
    assert "# Baseline, msaf" in card  # not the title of the whole system
    (result,) = front_of(card)["model-index"][0]["results"]
    assert result["dataset"]["type"] == "street"
    assert result["metrics"] == [{"type": "mean_iou", "name": "mIoU (%)", "value": 39.99}]
    assert read_checkpoint(run["last"]).sidecar.sha256 in card


def test_weights_that_were_not_scored_have_no_numbers(run, tmp_path):
    card = card_of(run["early"], tmp_path)
    steps = SMOKE.steps
    why = f"the run scored the weights of step {steps}, these are of step {steps - 1}"
    assert f"{NO_NUMBERS}: {why}." in card
    assert "model-index" not in front_of(card)
    assert "Data: street" in card  # how it was trained is known


def test_a_checkpoint_that_was_moved_has_no_numbers(run, tmp_path):
    for suffix in (".safetensors", ".json"):
        source = run["last"].with_suffix(suffix)
        (tmp_path / source.name).write_bytes(source.read_bytes())
    card = card_of(tmp_path / run["last"].name, tmp_path)
    assert f"{NO_NUMBERS}: the checkpoint is not in the folder of its run." in card
    assert "model-index" not in front_of(card)
    assert "## Training" not in card


def test_a_card_shows_the_watermark_and_gives_the_hub_no_number(tmp_path):
    conditions = read_conditions("smoke", "street")
    plan = make_plan(read_table("3"), conditions, ["Baseline"], seeds=1)
    workspace, trial = Workspace(tmp_path), plan.trials()[0]
    write_record(workspace.records, record_of(trial, 40))
    card = card_of(checkpoint_of(workspace, trial, conditions.steps), tmp_path)
    assert f"> **{conditions.watermark}**" in card
    assert "model-index" not in front_of(card)
    assert "Only one seed was trained" in card  # a folder without a plan


def test_a_card_of_random_weights_says_so(tmp_path):
    source = random_source("pspnet18", ("a", "b"), ())
    card = model_card(source, program_of(source, tmp_path / "m.onnx"))
    assert "**random: the network was not trained**" in card
    assert "the output is meaningless" in card
    assert 'onnxruntime.InferenceSession("m.onnx")' in code_of(card)


@pytest.mark.slow
def test_export_writes_a_program_and_a_card_whose_code_runs(run, tmp_path, capsys, monkeypatch):
    path = tmp_path / "out" / "base.pt2"
    assert main(["export", str(run["last"]), "--to", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == [str(path), f"{path}.md"]
    assert (found["weights"], found["size"], found["batch"]) == ("trained", list(SMOKE.size), 1)
    assert (found["difference"], found["agreement"]) == (0, 100)
    extra = {ABOUT: ""}
    torch.export.load(path, extra_files=extra)
    about = json.loads(extra[ABOUT])
    assert (about["classes"], about["frames"]) == (["a", "b"], found["frames"])
    assert about["checkpoint_sha256"] in (tmp_path / "out" / "base.pt2.md").read_text()
    monkeypatch.chdir(path.parent)
    names = {}
    exec(code_of((path.parent / "base.pt2.md").read_text()), names)  # noqa: S102
    assert names["labels"].shape == (1, *SMOKE.size)
    assert main(["export", str(run["last"]), "--to", str(path), "--no-card"]) == 0  # its own file


@pytest.mark.slow
def test_a_program_takes_any_number_of_clips(tmp_path):
    net = mb.build(shrunk(read_system("msaf-r18"), WIDE), num_classes=3).train()
    made = mb.export(net, tmp_path / "m.pt2", size=(32, 64), batch=None)
    assert made.agreement == 100
    assert net.training
    program = torch.export.load(made.path).module()
    clip = torch.randn(3, net.frames, 3, 32, 64)
    with torch.no_grad():
        assert torch.allclose(program(clip), net.eval()(clip).logits, atol=1e-5)


@pytest.mark.slow
def test_onnx_has_the_same_output_and_says_what_it_is(tmp_path, capsys, monkeypatch):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="the extra `export` is not installed")
    import onnxruntime

    net = mb.build(shrunk(read_system("pspnet18"), WIDE), num_classes=3)
    path = tmp_path / "m.onnx"
    made = mb.export(net, path, size=(32, 64), batch=None, about={"classes": ["a", "b", "c"]})
    assert made.difference < 1e-4
    session = onnxruntime.InferenceSession(str(path))
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["classes"]) == ["a", "b", "c"]
    assert json.loads(told["mean"]) == [0.485, 0.456, 0.406]
    clip = np.zeros((2, 1, 3, 32, 64), np.float32)
    assert session.run(None, {"clip": clip})[0].shape == (2, 3, 32, 64)


@pytest.mark.slow
def test_a_program_that_differs_is_not_written(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(programs.WRITERS, ".pt2", _writes_another)
    path = tmp_path / "m.pt2"
    assert main(["export", str(run["last"]), "--to", str(path)]) == GateError.exit_code
    err = capsys.readouterr().err
    assert err.startswith(f"msaf-bench: {path} is not written: its logits differ")
    assert not [p for p in tmp_path.iterdir() if p.name != ".msaf-bench.json"]


def _writes_another(program, path, about):
    path.write_bytes(b"a program")
    return lambda clip: program.module()(clip) + torch.linspace(0, 1, clip.shape[-1])


@pytest.mark.slow
def test_what_is_computed_outside_torch_is_refused(capsys, tmp_path):
    outside = {name for name in list_systems() if outside_of(empty_network(_small(name), 3))}
    assert outside == NOT_TORCH
    net = mb.build(_small("netwarp-dilation8"), 3)
    with pytest.raises(UsageError, match="DIS flow .* is computed outside torch"):
        mb.export(net, tmp_path / "m.pt2", size=(32, 64))


def _small(name):
    return shrunk(read_system(name), WIDE).trained()


def test_a_size_that_a_network_cannot_take_is_one_line(tmp_path):
    class Picky(torch.nn.Module):
        frames = 1

        def forward(self, clip):
            raise RuntimeError("kernel size can't be greater\nthan actual input size")

    with pytest.raises(UsageError, match=r"--size 1x1: .* cannot take this size \(kernel size"):
        mb.export(Picky(), tmp_path / "m.pt2", size=(1, 1))


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["msaf-r18", "--to", "m.pt", "--size", "32x64"], 2, ".pt2 (torch.export) or .onnx (ONNX)"),
        (["msaf-r18", "--to", "m.pt2"], 2, "--size is missing; write HxW"),
        (["msaf-r18", "--to", "m.pt2", "--size", "32"], 2, "--size: '32' is not a size"),
        (["msaf-r81", "--to", "m.pt2", "--size", "32x64"], 2, "did you mean msaf-r18"),
        (["a.safetensors", "--to", "m.pt2"], 3, "a.safetensors: cannot be read"),
        (["msaf-r18", "--to", "there.pt2", "--size", "32x64"], 2, "there.pt2 exists and was not"),
        (
            ["msaf-r18", "--to", "m.pt2", "--dynamic", "--batch", "2"],
            2,
            "--batch fixes the number of clips",
        ),
        (["msaf-r18", "--to", "m.pt2", "-s", "32x64", "-c", "1"], 2, "2 to 255"),
    ],
)
def test_bad_input_is_one_line(arguments, code, part, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.pt2").write_text("another's")
    assert main(["export", *arguments]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert part in err
    assert (tmp_path / "there.pt2").read_text() == "another's"


def test_a_damaged_checkpoint_is_one_line(run, tmp_path, capsys):
    for suffix in (".safetensors", ".json"):
        source = run["last"].with_suffix(suffix)
        (tmp_path / source.name).write_bytes(source.read_bytes())
    path = tmp_path / run["last"].name
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["export", str(path), "--to", str(tmp_path / "m.pt2")]) == 3
    assert "damaged, the content does not match its sha256" in capsys.readouterr().err


def test_missing_plugins_are_named(run, tmp_path, capsys):
    trial = run["trial"]
    foreign = trial.system.swap((("head", "theirs"),)) if "head" in dict(trial.system.slots) else (
        trial.system.swap((("backbone", "theirs"),)))  # fmt: skip
    other = trial.model_copy(update={"system": foreign})
    workspace = Workspace(tmp_path)
    record = record_of(other, 40).model_copy(update={"plugins": ("their_package",)})
    write_record(workspace.records, record)
    sidecar = Sidecar(sha256="", step=4, trial=training_id(other), system=foreign, num_classes=2)
    path = save_checkpoint(workspace.checkpoints(other), torch.nn.Linear(1, 1), None, sidecar)
    assert main(["export", str(path), "--to", str(tmp_path / "m.pt2")]) == 2
    assert "it was trained with --plugin their_package" in capsys.readouterr().err


def test_missing_packages_are_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    assert main(["export", "msaf-r18", "--to", str(tmp_path / "m.onnx"), "-s", "32x64"]) == 5
    err = capsys.readouterr().err
    assert "onnx, onnxscript, onnxruntime not installed; pip install 'msaf-bench[export]'" in err
