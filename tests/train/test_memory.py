"""The size of a training step that is counted without content, against steps that were measured."""

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.architectures import build
from msaf_bench.architectures.msaf import MSAF
from msaf_bench.catalog import changed, read_conditions, read_system
from msaf_bench.spec import Choice
from msaf_bench.train.memory import NotCountedError, step_size
from msaf_bench.train.step import prepared

CLASSES = 19
#: A step of `paper` (clips of three frames at 769x769) on one H100 with 80 GB, as
#: benchmarks/README.md has it: torch's peak of allocated memory in GiB, cuDNN's choice of
#: algorithms included. In fp32 that chooses larger workspaces than it needs.
MEASURED = {
    ("msaf-r50", 8, "fp32"): 73.3,
    ("msaf-r50", 8, "tf32"): 67.2,
    ("msaf-r50", 8, "bf16"): 36.1,
    ("msaf-r18", 8, "tf32"): 27.2,
    ("msaf-r18", 8, "bf16"): 15.9,
    ("msaf-r50", 1, "bf16"): 5.0,
}


def size(name, *, processes=1, **changes):
    own = changed(read_conditions("paper", "cityscapes"), changes, "test")
    system = read_system(name) if isinstance(name, str) else name
    return step_size(system, own, CLASSES, processes)


def small(name, **changes):
    """Return the size of a step that takes no time to count."""
    return size(name, **({"crop": (129, 129), "batch": 4, "frames": 5} | changes))


def activations(found):
    return found.peak_bytes - found.state_bytes


@pytest.mark.slow
@pytest.mark.parametrize("case", MEASURED, ids=str)
def test_it_is_within_a_tenth_of_what_was_measured_on_a_gpu(case):
    name, batch, precision = case
    counted = size(name, batch=batch, precision=precision).peak_bytes / 2**30
    assert 0.9 < counted / MEASURED[case] < 1


@pytest.mark.slow
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(("name", "batch", "side"), [("lma-erf", 2, 97), ("pspnet18", 2, 97)])
def test_it_is_within_15_percent_of_a_real_step_here(name, batch, side, again):
    own = changed(
        read_conditions("paper", "cityscapes"),
        {"batch": batch, "crop": (side, side), "checkpoint_activations": again, "frames": 5},
        "test",
    )
    counted = step_size(read_system(name), own, CLASSES).peak_bytes
    assert 0.85 < counted / measured(name, own) < 1.05


def measured(name, own):
    """Return the peak of a real step on the CPU in bytes, by torch's record of every allocation."""
    torch.manual_seed(0)
    net = build(read_system(name), CLASSES).train()
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)
    clip = torch.randn(own.batch, own.frames, 3, *own.crop)
    labels = torch.randint(CLASSES, (own.batch, *own.crop))
    with prepared(net, own) as learner:
        learner.gradients(clip, labels)
        optimizer.step()
        optimizer.zero_grad()
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
            learner.gradients(clip, labels)
    states = [tensor for state in optimizer.state.values() for tensor in state.values()]
    held = [*net.parameters(), *net.buffers(), *states, clip, labels]
    live = peak = sum(tensor.nbytes for tensor in held)
    for _, change in sorted(allocations(record.profiler.kineto_results.experimental_event_tree())):
        live += change
        peak = max(peak, live)
    return peak


def allocations(events):
    for event in events:
        if event.name == "[memory]":
            yield event.start_time_ns, event.extra_fields.alloc_size
        yield from allocations(event.children)


@pytest.mark.slow
def test_it_grows_with_the_batch_and_the_width():
    once, twice = small("lma-erf", batch=4), small("lma-erf", batch=8)
    assert once.state_bytes == twice.state_bytes
    assert activations(twice) == pytest.approx(2 * activations(once), rel=0.05)
    assert twice.flops == 2 * once.flops
    wide = small(read_system("msaf-r18").swap((), (("width", 512),)))
    assert activations(wide) > 1.2 * activations(small("msaf-r18"))


@pytest.mark.slow
def test_parts_and_processes_divide_the_activations():
    whole = activations(small("lma-erf", batch=8))
    apart, parts = small("lma-erf", batch=8, processes=4), small("lma-erf", batch=8, accumulate=4)
    assert activations(apart) == pytest.approx(whole / 4, rel=0.05)
    gradients = 4 * parts.params  # of the parts before
    assert activations(parts) == pytest.approx(whole / 4 + gradients, rel=0.05)
    assert small("lma-erf", batch=8, accumulate=4).flops == small("lma-erf", batch=8).flops


@pytest.mark.slow
def test_half_precision_and_checkpointing_need_less():
    whole, half = small("msaf-r18"), small("msaf-r18", precision="bf16")
    assert 0.45 < activations(half) / activations(whole) < 0.7
    again = small("msaf-r18", checkpoint_activations=True)
    assert activations(again) < 0.6 * activations(whole)
    assert 1 < again.flops / whole.flops < 4 / 3


@pytest.mark.slow
def test_a_frozen_backbone_keeps_nothing():
    learning = small("msaf-r18")
    frozen = small("msaf-r18", backbone_rate=0)
    kept = small("msaf-r18", backbone_rate=0, draws=2)
    assert learning.state_bytes > frozen.state_bytes == kept.state_bytes
    assert learning.peak_bytes > frozen.peak_bytes > kept.peak_bytes
    assert learning.flops > frozen.flops > kept.flops


@pytest.mark.slow
def test_the_average_of_the_weights_is_a_copy():
    more = small("lma-erf", ema=0.9).peak_bytes - small("lma-erf").peak_bytes
    assert more == 4 * small("lma-erf").params


@pytest.mark.slow
def test_a_step_computes_three_forward_passes():
    cost = system_cost("msaf-r18", CLASSES, (129, 129))
    assert small("msaf-r18").flops == pytest.approx(3 * 2 * 4 * cost.total_macs, rel=0.05)


def test_what_cannot_run_without_content_is_said(monkeypatch):
    monkeypatch.setattr(
        MSAF, "loss", lambda net, out, labels: out.logits.mean() * labels.sum().item()
    )
    bare = read_system("msaf-r18").swap(
        (("motion", Choice(use="none")), ("align", Choice(use="none"))), name="looks"
    )
    with pytest.raises(NotCountedError, match="looks cannot run without content: .*meta"):
        small(bare)
