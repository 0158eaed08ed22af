"""What every `msaf_bench.VideoNetwork` owes, tried on every system of `models/` and every row of
the tables, made small.
"""

from copy import deepcopy

import pytest
import torch

from msaf_bench import build
from msaf_bench.architectures import builtin
from msaf_bench.architectures.tdnet import TDNet
from msaf_bench.catalog import (
    list_systems,
    list_tables,
    read_conditions,
    read_system,
    read_table,
    shrunk,
    systems_of,
)
from msaf_bench.errors import UsageError
from msaf_bench.sweep.preflight import check_batch_of_one

pytestmark = pytest.mark.slow

SIZE, CLASSES = (32, 48), 5
SMALL = {whole: read_conditions("smoke", "street", systems=whole) for whole in (False, True)}
NETWORKS = {name: shrunk(read_system(name), SMALL[True]) for name in list_systems()} | {
    f"{table.name}: {label}": system
    for table in map(read_table, list_tables())
    for label, system in systems_of(table, SMALL[not table.base]).items()
}
# Rows that are a system of models/ as it is are tried as that.
NETWORKS = {
    name: s
    for name, s in NETWORKS.items()
    if ":" not in name or s.key not in {NETWORKS[n].key for n in list_systems()}
}


# The fast tests try the systems; rows of the tables are swaps of their parts.
@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.slow if ":" in name else ()) for name in NETWORKS]
)
def net(request):
    torch.manual_seed(0)
    return build(NETWORKS[request.param], CLASSES)


def clip(frames, size=SIZE, seed=1):
    """A scene that moves a little from frame to frame."""
    torch.manual_seed(seed)
    scene = torch.randn(2, 3, size[0], size[1] + 2 * frames)
    scene = torch.nn.functional.avg_pool2d(scene, 3, 1, 1) * 2
    return torch.stack([scene[..., 2 * t : 2 * t + size[1]] for t in range(frames)], 1)


def labels(size=SIZE):
    torch.manual_seed(2)
    return torch.randint(CLASSES, (2, *size))


def test_a_clip_gives_full_size_logits_and_a_falling_loss(net):
    frames, truth = clip(max(5, net.frames)), labels()
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        # dropout and drawn phases alike in every step: the loss may then only fall by learning
        torch.manual_seed(3)
        out = net(frames)
        assert out.logits.shape == (2, CLASSES, *SIZE)
        loss = net.loss(out, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_every_parameter_learns(net):
    if isinstance(net, TDNet):
        pytest.skip(
            "a step trains the attention and the head of one turn alone; test_tdnet.py takes all"
            " turns"
        )
    net.loss(net(clip(max(5, net.frames))), labels()).backward()
    assert [name for name, p in net.named_parameters() if p.requires_grad and p.grad is None] == []


def test_a_stream_gives_what_the_clip_gives(net):
    net.eval()
    stream, frames = net.stream(), clip(net.frames + 2 * net.stream().cycle)
    with torch.inference_mode():
        steps = [stream.step(frames[:, t]) for t in range(frames.shape[1])]
        for first in range(
            0, 1 if net.recursive else frames.shape[1] - net.frames + 1, stream.cycle
        ):
            expected = net(frames[:, first : first + net.frames]).logits
            torch.testing.assert_close(
                steps[first + net.frames - 1], expected, rtol=1e-3, atol=1e-3
            )
        stream.reset()
        torch.testing.assert_close(stream.step(frames[:, 0]), steps[0])


def test_inference_uses_every_part_but_those_for_training(net):
    """Noise in a training-only part changes nothing; every other parameter is named as one that
    inference has.
    """
    net.eval()
    frames = clip(net.frames)
    assert set(net.training_only) <= {name for name, _ in net.named_children()}
    with torch.no_grad():
        before = net(frames).logits
        for name in net.training_only:
            for p in getattr(net, name).parameters():
                p.add_(torch.randn_like(p))
        assert torch.equal(net(frames).logits, before)


def test_it_runs_in_half_precision(net):
    """As `fps --precision bf16` has it: weights and frames are bfloat16."""
    stream, frames = net.eval().to(torch.bfloat16).stream(), clip(net.frames).to(torch.bfloat16)
    with torch.inference_mode():
        assert net(frames).logits.isfinite().all()
        assert all(stream.step(frame).isfinite().all() for frame in frames.unbind(1))


def test_a_batch_of_one_trains_or_is_refused_before_training(net):
    with torch.device("meta"):
        copy = deepcopy(net).to("meta")
    try:
        check_batch_of_one("it", copy, SIZE)
    except UsageError:
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            net(clip(net.frames)[:1])
    else:
        net.loss(net(clip(net.frames)[:1]), labels()[:1]).backward()


def test_the_loss_of_unlabelled_frames_teaches_no_class(net):
    net.eval()
    out = net(clip(net.frames))
    assert net.loss(out, torch.full((2, *SIZE), 255)).item() == 0


def test_too_short_a_clip_is_named(net):
    if net.frames > 1:
        with pytest.raises(UsageError, match=f"reads {net.frames} frames"):
            net(clip(net.frames - 1))


@pytest.mark.parametrize("name", list_systems())
def test_every_system_builds_at_full_width_for_any_size(name):
    with torch.device("meta"), torch.inference_mode():
        net = build(name, 19).eval()
        for size in ((97, 129), (24, 36)):
            out = net(torch.empty(1, net.frames, 3, *size))
            step = net.stream().step(torch.empty(1, 3, *size))
            assert out.logits.shape == step.shape == (1, 19, *size)


def test_stand_ins_of_the_presets_name_what_there_is():
    for preset in ("quick", "smoke"):
        assert {
            name for name, _ in read_conditions(preset, "street", systems=True).shrink
        } <= builtin().names()
