"""Every kind of part, healthy and killed on purpose; the gradient, the listening and the
monitor.
"""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from msaf_bench import build
from msaf_bench.analyzers.pulse import PAST, pulses
from msaf_bench.analyzers.scoring import reader
from msaf_bench.architectures.grfp.stgru import STGRU
from msaf_bench.architectures.lma import BottleneckFusion
from msaf_bench.architectures.lma.attention import local_attention
from msaf_bench.architectures.loss import cross_entropy
from msaf_bench.architectures.lvs.key_frames import Propagation
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.architectures.stream import FrameStream
from msaf_bench.catalog import (
    list_systems,
    read_conditions,
    read_system,
    read_table,
    shrunk,
    systems_of,
)
from msaf_bench.components.align import DeformableAlign
from msaf_bench.components.blocks.attention import Block
from msaf_bench.components.blocks.deeplab import Deformable
from msaf_bench.components.blocks.warp import bounded, warp
from msaf_bench.components.gauges import gauge, listening
from msaf_bench.components.motion import DecoupledTransformer
from msaf_bench.data import open_split
from msaf_bench.liveness import CHANGED_LEAST, complaint
from msaf_bench.ports import Output
from msaf_bench.train.loop import train
from msaf_bench.vitals import (
    gauges_of,
    gradients,
    parts_of,
    reading,
    silenced,
)

DISTURBED = {
    "data_options": {"occluders": 2.0, "train_videos": 4, "score_videos": 4, "video_frames": 6},
    "steps": 4,
}
CONDITIONS = read_conditions("smoke", "street", DISTURBED, systems=True)
LEARN, TEST = (open_split(CONDITIONS, split) for split in ("train", "score"))
CLASSES = len(LEARN.classes)
TEMPORAL = {read_system(name).architecture: name for name in list_systems()}
for alone in ("single-frame", "etc", "pc", "efc"):
    del TEMPORAL[alone]


class Toy(VideoNetwork):
    """A plug-in without any gauge: it runs its head in two steps and a parameter of `free` by
    itself.
    """

    frames = 1

    def __init__(self, scale=1.0, detach=False, bias=0.0):
        super().__init__()
        self.backbone = nn.Conv2d(3, 8, 3, padding=1)
        self.branch = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.head = nn.ModuleDict(
            {"features": nn.Conv2d(8, 8, 1), "classify": nn.Conv2d(8, CLASSES, 1)}
        )
        self.free = nn.Conv2d(8, 8, 1)
        self.scale, self.detach = scale, detach
        nn.init.constant_(self.branch[0].bias, bias)

    def forward(self, clip):
        x = self.backbone(clip[:, -1])
        branch = self.branch(x)
        x = x + self.scale * (branch.detach() if self.detach else branch)
        x = functional.conv2d(self.head["features"](x), self.free.weight, self.free.bias)
        return Output(self.head["classify"](x), {})

    def loss(self, out, labels):
        return cross_entropy(out.logits, labels)

    def stream(self):
        return FrameStream(self)


def clip(frames, seed=0):
    torch.manual_seed(seed)
    return torch.randn(2, frames, 3, 32, 48)


def maps(*shape, seed=0):
    torch.manual_seed(seed)
    return torch.randn(shape)


def health(net, run=None):
    """Part -> why it is not live, by the gauges and gradients of one training step."""
    parts = parts_of(net)
    with reading(parts) as listener:
        (
            run(net)
            if run
            else net.loss(net(clip(net.frames)), torch.zeros(2, 32, 48, dtype=torch.long))
        ).backward()
    supplies, gauges = gradients(net, parts, listener.ran), gauges_of(listener)
    return {
        name: complaint(gauges.get(name, {}), supplies.get(name)) for name in {**supplies, **gauges}
    }


def complaints(run):
    """Why what runs is not live, by its gauges alone."""
    with listening() as listener:
        run()
    return {text for gauges in gauges_of(listener).values() if (text := complaint(gauges))}


# --- Each kind of part: how it is made and run, how it is killed, what is said then. ---


def _dcn(kill):
    align = DeformableAlign(8)
    nn.init.constant_(align.offset.bias, 1000.0 if kill else 0.3)
    return lambda: align(maps(2, 8, 6, 8), maps(2, 8, 6, 8, seed=1))


def _flow(kill):
    return lambda: warp(
        maps(2, 8, 6, 8), torch.full((2, 2, 6, 8), 1000.0 if kill else 0.7), outside="zeros"
    )


def _temporal(kill):
    motion = DecoupledTransformer(
        3, 8, lambda: Block(8, heads=1, mlp_ratio=1), lambda: DeformableAlign(8), pyramid=(1, 1, 1)
    )
    if kill:  # queries equal to keys, many times as large: each token sees itself alone
        motion.temporal.attention.qkv.weight.data[:16] = 30 * torch.eye(8).repeat(2, 1)
    return lambda: motion(maps(2, 3, 8, 6, 8))


def _local(kill):
    query, key = torch.full((2, 4, 6, 8), 9.0 if kill else 0.1), torch.full((2, 4, 6, 8), -9.0)
    return lambda: local_attention(query, [key, key], [key, key], window=17)


def _gates(kill):
    cell = STGRU(5, kernel=3, prior=0.2)
    nn.init.constant_(cell.gate_bias, 1000.0 if kill else 0.0)
    return lambda: cell(
        maps(2, 5, 6, 8),
        maps(2, 3, 6, 8),
        maps(2, 5, 6, 8),
        maps(2, 3, 6, 8),
        torch.zeros(2, 2, 6, 8),
    )


def _distrust(kill):
    cell = STGRU(5, kernel=3, prior=0.2)
    nn.init.constant_(cell.error.bias, 1000.0 if kill else 0.0)
    return lambda: cell(
        maps(2, 5, 6, 8),
        maps(2, 3, 6, 8),
        maps(2, 5, 6, 8),
        maps(2, 3, 6, 8),
        torch.zeros(2, 2, 6, 8),
    )


def _fusion(kill):
    fusion = BottleneckFusion(8, down=4, share=True)
    nn.init.constant_(fusion.gates[1].bias, -1000.0 if kill else 0.0)
    return lambda: fusion(maps(2, 8, 6, 8), maps(2, 8, 6, 8))


def _key_frames(kill):
    net = build(shrunk(read_system("lvs-r101"), CONDITIONS), CLASSES).eval()
    net.threshold = -1.0 if kill else 0.9
    return lambda: net(clip(net.frames))


def _memory(kill):
    net = build(shrunk(read_system("tmanet-r50"), CONDITIONS), CLASSES).eval()
    for encode in net.memory:
        nn.init.constant_(encode.value[-2].bias, -1000.0 if kill else 0.0)
    return lambda: net(clip(net.frames))


def _share_of_past(name, weight):
    """A network whose named weights, which bring in the past, are set to 0."""

    def make(kill):
        net = build(shrunk(read_system(name), CONDITIONS), CLASSES).eval()
        if kill:
            weight(net)
        return lambda: net(clip(net.frames))

    return make


def zero(*modules):
    for module in modules:
        for p in module.parameters():
            nn.init.zeros_(p)


KINDS = {
    "DCN offsets of 1000 cells": (_dcn, "0.0% of its taps lie inside the map"),
    "flow of 1000 pixels": (_flow, "0.0% of the pixels find their source inside the frame"),
    "temporal attention on the newest frame alone": (_temporal, "0.00% of its weight to the past"),
    "local attention that flees the past": (_local, "0.00% of its weight to the past"),
    "saturated gates": (_gates, "100.0% of its gates are saturated"),
    "a recurrent cell without trust": (_distrust, "0.000% of its sum comes from the past"),
    "a fusion whose gate to the past is shut": (
        _fusion,
        "0.000% of its sum comes from the past",
    ),
    "key frames everywhere": (_key_frames, "100.0% of the frames are key frames"),
    "a memory whose values are 0": (_memory, "0.000% of its sum comes from the past"),
    "a blend without the past": (
        _share_of_past("netwarp-psp101", lambda net: nn.init.zeros_(net.blend[1])),
        "0.000% of its sum comes from the past",
    ),
    "a fusion of scores without the carried ones": (
        _share_of_past("accel-r18", lambda net: nn.init.zeros_(net.fusion.mix.weight[:, :CLASSES])),
        "0.000% of its sum comes from the past",
    ),
    "sparse attention multiplied by 0": (
        _share_of_past("stt-r18", lambda net: zero(net.temporal.out)),
        "0.000% of its sum",
    ),
    "a prediction multiplied by 0": (
        _share_of_past("pearl-r101", lambda net: zero(net.transform)),
        "0.000% of its sum",
    ),
    "propagation multiplied by 0": (
        _share_of_past("tdnet-td2-psp50", lambda net: zero(net.paths[-1].propagation)),
        "0.000% of its sum comes from the past",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_healthy_part_is_quiet_and_a_killed_one_says_why(kind):
    make, said = KINDS[kind]
    torch.manual_seed(0)
    assert complaints(make(False)) == set()
    torch.manual_seed(0)
    assert any(said in text for text in complaints(make(True)))


# --- Learned sampling cannot run away. ---


def test_bounded_flow_is_itself_inside_and_comes_back_from_outside():
    flow = (
        torch.tensor([0.5, -1.5, 9.0, -1000.0]).view(1, 1, 1, 4).repeat(1, 2, 4, 1).requires_grad_()
    )
    held = bounded(flow)
    assert held[0, 0, 0].tolist() == [0.5, -1.0, 1.0, -1.0]
    inward = torch.tensor([1.0, 1.0, 1.0, -1.0]).expand_as(held)
    (given,) = torch.autograd.grad(held, flow, inward, retain_graph=True)
    assert given[0, 0, 0].tolist() == [1, 0, 1, -1]
    with torch.no_grad():
        small = 0.9 * maps(1, 2, 4, 4).clamp(-1, 1)
        assert torch.equal(bounded(small), small)


def test_offsets_of_a_deformable_stage_stay_on_the_map():
    stage = Deformable(nn.Conv2d(8, 8, 3, padding=2, dilation=2), groups=1, reach=2, limit=0.25)
    assert complaints(lambda: stage(maps(2, 8, 8, 16))) == set()
    nn.init.constant_(stage.offset.bias, 1000.0)
    x = maps(2, 8, 8, 16).requires_grad_()
    assert complaints(lambda: stage(x)) == set()
    assert stage(x).abs().mean() > 0.1


def test_spatially_variant_kernels_cannot_leave_their_window():
    torch.manual_seed(0)
    propagation = Propagation(8, 8, 8, 3).eval()
    x = maps(2, 8, 6, 8)
    with listening() as listener, torch.no_grad():
        propagation(x, x, x)
        propagation.kernels[-1].bias[4] = 1000.0
        propagation(x, x, x)
    spread, centred = (reading.value for reading in listener.readings)
    assert spread > 0.5
    assert centred == 0


# --- Gradient and effect, of a plug-in that has no gauge. ---


def test_a_healthy_plugin_is_quiet():
    torch.manual_seed(0)
    assert set(health(Toy()).values()) == {""}
    assert set(health(Toy())) == {"backbone", "branch", "head", "free"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scale": 0.0}, "100% of its weights get no gradient"),
        ({"detach": True}, "100% of its weights get no gradient"),
        ({"bias": -1000.0}, "0.0% of its output channels vary over the image"),
        ({"scale": 1e-9}, "its gradient is"),
    ],
    ids=["multiplied by 0", "detached", "dead ReLU", "scaled to nothing"],
)
def test_a_dead_plugin_says_why(options, said):
    torch.manual_seed(0)
    found = health(Toy(**options))
    assert said in found.pop("branch")
    assert set(found.values()) == {""}


def test_a_part_that_is_not_called_as_a_whole_is_silenced_all_the_same():
    torch.manual_seed(0)
    net = Toy().eval()
    with torch.no_grad():
        normal = net(clip(1)).logits
        for name, modules in parts_of(net).items():
            with silenced(modules) as places:
                assert torch.equal(net(clip(1)).logits, normal) == (name == "free")
            assert bool(places) == (name != "free")
        assert torch.equal(net(clip(1)).logits, normal)


def test_a_part_that_rests_has_no_supply():
    net = nn.ModuleDict({"used": nn.Linear(2, 2), "resting": nn.Linear(2, 2)})
    parts = {name: [module] for name, module in net.items()}
    net["used"](torch.ones(1, 2)).sum().backward()
    assert set(gradients(net, parts, {net["used"]})) == {"used"}
    assert gradients(net, parts)["resting"].silent == 1


# --- Listening. ---


def test_a_gauge_is_free_while_nobody_listens_and_detached_while_somebody_does():
    gauge("inside", lambda: pytest.fail("nobody listens"))
    x = torch.ones((), requires_grad=True)
    with listening() as listener:
        gauge("inside", lambda: 2 * x, part="here")
        gauge("inside", lambda: torch.ones((), device="meta"))
    assert listener.readings == [("here", "inside", 2.0)]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", TEMPORAL)
def test_temporal_systems(architecture, tmp_path):
    """Trained a little: every part has an effect or decides, the past reaches the logits, and
    listening changes nothing.
    """
    system = shrunk(read_system(TEMPORAL[architecture]), CONDITIONS)
    torch.manual_seed(0)
    net = build(system, CLASSES)
    trained = train(net, LEARN, CONDITIONS, 0, system=system, folder=tmp_path)
    net.eval()
    frames = (
        torch.stack([torch.from_numpy(np.array(TEST[i].frames)) for i in (1, 2)])
        .permute(0, 1, 4, 2, 3)
        .float()
        / 128
        - 1
    )
    with torch.inference_mode():
        plain = net(frames).logits
        with reading(parts_of(net)) as listener:
            assert torch.equal(net(frames).logits, plain)
        assert listener.readings
        assert not torch.equal(net(frames[:, -1:].expand_as(frames)).logits, plain)
    found = {pulse.part: pulse for pulse in pulses(net, TEST, reader(net, TEST), trained.supply)}
    assert found[PAST].changed > CHANGED_LEAST or found[PAST].reason
    assert {name for name in parts_of(net) if found[name].changed is None} == set(
        getattr(net, "deciding", ())
    )
    dead = {name: found[name].reason for name in parts_of(net) if not found[name].live}
    assert all("pixels change when it is silenced" in reason for reason in dead.values()), dead


@pytest.mark.slow
def test_listening_in_training_changes_no_gradient():
    net = build(shrunk(read_system("lma-psp101"), CONDITIONS), CLASSES)
    found = []
    for listens in (nullcontext(), reading(parts_of(net))):
        net.zero_grad()
        torch.manual_seed(1)
        with listens:
            net.loss(net(clip(net.frames)), torch.zeros(2, 32, 48, dtype=torch.long)).backward()
        found.append([p.grad for p in net.parameters() if p.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


# --- The monitor. ---


@pytest.mark.slow
def test_the_monitor_says_that_dcn_is_dead_within_one_interval(tmp_path):
    conditions = read_conditions("smoke", "street", {"steps": 12})
    system = systems_of(read_table("3"), conditions)["MSAF"]
    torch.manual_seed(0)
    net = build(system, CLASSES)
    notes = []
    for align in net.motion.align:
        # as Eq. 5 has it, without the bound that keeps it on the map
        align.reach, align.rate = 0.0, 1.0
        nn.init.constant_(align.offset.bias, 1000.0)
    train(
        net,
        open_split(conditions, "train"),
        conditions,
        0,
        system=system,
        folder=tmp_path,
        on_note=notes.append,
    )
    assert [note for note in notes if note.startswith("step 10: align is not live")]
