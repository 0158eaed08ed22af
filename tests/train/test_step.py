"""Each condition of how a step is computed does what it says, and undoes it."""

import warnings

import pytest
import torch

from msaf_bench import build
from msaf_bench.catalog import read_conditions
from msaf_bench.data import open_split
from msaf_bench.errors import HostError
from msaf_bench.spec import System
from msaf_bench.train import course
from msaf_bench.train.arithmetic import arithmetic
from msaf_bench.train.checkpoint import newest_checkpoint, scaler_tensors
from msaf_bench.train.divergence import NonFiniteLossError
from msaf_bench.train.loop import train
from msaf_bench.train.step import prepared

CONDITIONS = read_conditions("smoke", "street", {"steps": 6, "checkpoint_every": 2})
CLIPS = open_split(CONDITIONS, "train")
SYSTEM = System(
    architecture="single-frame",
    slots={"backbone": {"use": "resnet10", "width": 8}, "head": {"use": "fcn", "width": 8}},
)


class Killed(Exception):
    pass


@pytest.fixture(autouse=True)
def every_step(monkeypatch):
    monkeypatch.setattr(course, "LOG_EVERY", 1)


def network():
    torch.manual_seed(0)
    return build(SYSTEM, len(CLIPS.classes))


def run(folder, changes, *, net=None, die_at=None, **options):
    net = net or network()
    conditions = CONDITIONS.model_copy(update=changes)
    seen = options.pop("on_step", lambda step, loss: None)

    def on_step(step, loss):
        seen(step, loss)
        if step == die_at:
            raise Killed

    trained = train(
        net, CLIPS, conditions, 0, system=SYSTEM, folder=folder, on_step=on_step, **options
    )
    return net, trained


def equal(one, other):
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == same and torch.equal(a, b) for (name, a), (same, b) in pairs)


def goes_on_exactly(tmp_path, changes, **options):
    """Return what an undisturbed training gives, once an interrupted one has given the same."""
    net, trained = run(tmp_path / "whole", changes, **options)
    with pytest.raises(Killed):
        run(tmp_path / "cut", changes, die_at=5, **options)
    resumed, again = run(tmp_path / "cut", changes, **options)
    assert equal(net, resumed)
    assert trained.loss == again.loss
    return net, trained


@pytest.mark.slow
def test_fp16_scales_the_loss_and_goes_on_with_its_scale(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.amp, "GradScaler", small_interval(torch.amp.GradScaler))
    net, trained = goes_on_exactly(tmp_path, {"precision": "fp16"})
    assert len(trained.loss) == 6
    with pytest.raises(Killed):
        run(tmp_path / "one", {"precision": "fp16"}, die_at=5)
    tensors = newest_checkpoint(tmp_path / "one")[0].tensors
    assert tensors["scaler.scale"] == 4 * 65536


def small_interval(scaler):
    return lambda device, enabled: scaler(device, enabled=enabled, growth_interval=2)


@pytest.mark.slow
def test_a_step_that_fp16_skips_is_no_divergence(tmp_path, monkeypatch):
    plain, calls = course.Learner.gradients, []

    def overflown(learner, inputs, labels, seed):
        loss = plain(learner, inputs, labels, seed)
        calls.append(1)
        if len(calls) in bad:
            next(learner.net.parameters()).grad.fill_(float("inf"))
            loss = loss * float("inf")
        return loss

    monkeypatch.setattr(course.Learner, "gradients", overflown)
    bad = {2}
    net, trained = run(tmp_path / "skipped", {"precision": "fp16"})
    assert [step for step, _ in trained.loss] == [1, 3, 4, 5, 6]
    assert all(torch.isfinite(weights).all() for weights in net.parameters())
    bad = range(100)
    with pytest.raises(NonFiniteLossError, match="fp16 at step 17"):
        run(tmp_path / "diverged", {"precision": "fp16", "steps": 40})


@pytest.mark.slow
def test_channels_last_is_the_layout_of_weights_and_frames(tmp_path):
    seen = []

    def look(module, inputs):
        seen.append((module.weight, inputs[0]))

    net = network()
    net.backbone.conv1.register_forward_pre_hook(look)
    run(tmp_path / "one", {"channels_last": True, "steps": 1, "checkpoint_every": 0}, net=net)
    weights, frames = seen[0]
    assert frames.stride(1) == 1
    assert weights.is_contiguous()  # again
    goes_on_exactly(tmp_path, {"channels_last": True})
    with prepared(net, CONDITIONS.model_copy(update={"channels_last": True})):
        assert net.backbone.conv1.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.slow
def test_ema_is_the_moving_average_that_is_validated_and_kept(tmp_path):
    mean, seen = {}, []
    net = network()

    def follow(step, loss):
        decay = min(0.5, (1 + step) / (10 + step))
        for name, weights in net.named_parameters():
            mean[name] = mean[name].lerp(weights.detach(), 1 - decay)

    mean = {name: weights.detach().clone() for name, weights in net.named_parameters()}
    changes = {"validate_every": 3}
    plain, _ = run(tmp_path / "plain", changes, net=net, on_step=follow, validate=lambda: 1.0)
    other = network()

    def validate():
        seen.append({name: w.detach().clone() for name, w in other.named_parameters()})
        return float(len(seen))

    run(tmp_path / "mean", changes | {"ema": 0.5}, net=other, validate=validate)
    for name, weights in other.named_parameters():
        assert torch.allclose(weights, mean[name], atol=1e-6)
        assert torch.equal(seen[-1][name], weights)
    assert not equal(plain, other)
    for name, buffer in plain.named_buffers():
        assert torch.equal(buffer, other.get_buffer(name))
    kept = newest_checkpoint(tmp_path / "mean")[0]
    assert not any(name.startswith("average") for name in kept.tensors)
    assert torch.equal(kept.tensors["model.head.classifier.weight"], other.head.classifier.weight)


@pytest.mark.slow
def test_ema_goes_on_exactly_and_keeps_the_best(tmp_path):
    def values():
        found = iter([10.0, 30.0, 20.0])
        return lambda: next(found, 20.0)

    changes = {"ema": 0.5, "validate_every": 2, "keep": "best"}
    net, trained = run(tmp_path / "whole", changes, validate=values())
    assert trained.kept_step == 4
    first, _ = run(tmp_path / "first", {"ema": 0.5, "steps": 6, "validate_every": 2}, die_at=None)
    assert not equal(net, first)
    with pytest.raises(Killed):
        run(tmp_path / "cut", changes, validate=values(), die_at=5)
    resumed, _ = run(tmp_path / "cut", changes, validate=lambda: 20.0)
    assert equal(net, resumed)


@pytest.mark.parametrize(("precision", "allowed"), [("fp32", False), ("tf32", True)])
def test_fp32_has_no_tf32_and_tf32_has(precision, allowed):
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    conditions = CONDITIONS.model_copy(update={"precision": precision})
    with arithmetic(conditions, "cpu") as determinism:
        assert torch.backends.cudnn.allow_tf32 is allowed
        assert torch.backends.cuda.matmul.allow_tf32 is allowed
        assert torch.backends.cudnn.conv.fp32_precision == ("tf32" if allowed else "none")
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == before
    assert determinism.text() == "bit for bit"


def test_deterministic_kernels_are_asked_for_and_those_that_are_not_are_named():
    conditions = CONDITIONS.model_copy(update={"deterministic": True})
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        with arithmetic(conditions, "cuda") as found:
            assert torch.are_deterministic_algorithms_enabled()
            assert torch.backends.cudnn.deterministic
            assert found.text() == "asked for"
            for _ in range(2):
                torch.zeros(4).put_(torch.tensor([1]), torch.ones(1))
            warnings.warn("something else", stacklevel=1)
    assert [str(other.message) for other in others] == ["something else"]
    assert found.text() == "asked for; not deterministic: put_"
    assert not torch.are_deterministic_algorithms_enabled()
    with arithmetic(CONDITIONS, "cuda") as unasked:
        assert not torch.are_deterministic_algorithms_enabled()
    assert unasked.text() == "not asked for"


@pytest.mark.slow
def test_a_compiled_network_learns_the_same_and_keeps_its_names(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "LOG_EVERY", 3)
    plain, trained = run(tmp_path / "plain", {})
    used, compile_ = [], torch.compile

    def counted(run):
        compiled = compile_(run, backend="eager")

        def call(*inputs):
            used.append(1)
            return compiled(*inputs)

        return call

    monkeypatch.setattr(torch, "compile", counted)
    net, compiled = run(tmp_path / "compiled", {"compile": True})
    assert len(used) == 2  # of six steps: hooks watch the others
    assert net.state_dict().keys() == plain.state_dict().keys()
    assert dict(compiled.loss) == pytest.approx(dict(trained.loss), rel=1e-4)


@pytest.mark.slow
def test_a_compiler_that_is_missing_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "LOG_EVERY", 3)
    compile_ = torch.compile

    def broken(module, inputs):
        raise RuntimeError("no working C++ compiler")

    monkeypatch.setattr(torch, "compile", lambda run: compile_(run, backend=broken))
    with pytest.raises(HostError, match=r"no working C\+\+ compiler.*--set compile=false"):
        run(tmp_path, {"compile": True})


def test_a_scaler_that_is_off_leaves_nothing():
    assert scaler_tensors(torch.amp.GradScaler("cpu", enabled=False)) == {}
