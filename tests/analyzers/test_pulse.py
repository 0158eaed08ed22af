import pytest
import torch
from torch import nn
from torch.nn import functional

from msaf_bench.analyzers.pulse import PAST, UNUSED, pulse_clips, pulses
from msaf_bench.analyzers.scoring import reader
from msaf_bench.architectures.loss import cross_entropy
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.catalog import read_conditions
from msaf_bench.components.blocks.warp import warp
from msaf_bench.data import open_split
from msaf_bench.liveness import Supply
from msaf_bench.ports import Output

CONDITIONS = read_conditions(
    "smoke", "street", {"data_options": {"score_videos": 4, "video_frames": 6}}
)
CLIPS = open_split(CONDITIONS, "score")
CLASSES = len(CLIPS.classes)


class Plugin(VideoNetwork):
    """Two frames, no gauge of its own; `free` runs without its module, `unused` not at all, and
    `chooses` decides nothing here.
    """

    frames, training_only, deciding = 2, ("auxiliary",), ("chooses",)

    def __init__(self, past=1.0, flow=0.5):
        super().__init__()
        torch.manual_seed(0)
        self.backbone, self.auxiliary = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.memory, self.free, self.unused, self.chooses = (nn.Conv2d(8, 8, 1) for _ in range(4))
        self.head = nn.ModuleDict({"norm": nn.BatchNorm2d(8), "classify": nn.Conv2d(8, CLASSES, 1)})
        self.place, self.past, self.flow = nn.Identity(), past, flow

    def forward(self, clip):
        before, now = clip[:, -2], clip[:, -1]
        x = functional.conv2d(self.backbone(now), self.free.weight)
        self.chooses(x)
        past = warp(
            self.memory(self.backbone(before)),
            torch.full_like(before[:, :2], self.flow),
            outside="zeros",
        )
        return Output(self.head["classify"](self.head["norm"](x + self.past * past)), {})

    def loss(self, out, labels):
        return cross_entropy(out.logits, labels)

    def stream(self):
        raise NotImplementedError


def taken(net, supply=None, **options):
    net.eval()
    return {
        pulse.part: pulse
        for pulse in pulses(net, CLIPS, reader(net, CLIPS), supply or {}, **options)
    }


SUPPLY = {name: Supply(1.0, 0.0) for name in ("backbone", "memory", "free", "head", "chooses")}


def test_the_clips_of_the_pulse_are_spread_over_the_split():
    chosen = pulse_clips(CLIPS)
    assert chosen[0] == 0
    assert len(chosen) == len(set(chosen)) <= 32


@pytest.mark.slow
def test_every_part_of_a_plugin_has_a_pulse():
    found = taken(Plugin(), SUPPLY)
    assert set(found) == {"backbone", "memory", "free", "head", "chooses", "unused", "warp", PAST}
    assert [name for name, pulse in found.items() if not pulse.live] == ["unused"]
    assert found["unused"].reason == UNUSED
    for name in ("backbone", "memory", "head", PAST):
        assert found[name].changed > 0.1
        assert found[name].miou is not None
    for name in ("free", "unused", "chooses", "warp"):
        assert found[name].changed is None
    assert found["memory"].gradient == 1
    assert dict(found["warp"].gauges)["flow_rms"] == pytest.approx(0.5)


@pytest.mark.slow
def test_without_a_supply_a_part_that_cannot_be_silenced_is_not_judged():
    assert taken(Plugin())["unused"].live


@pytest.mark.slow
def test_extracted_features_have_no_pulse_of_the_backbone():
    assert "backbone" not in taken(Plugin(), extracted=True)


@pytest.mark.slow
def test_a_past_multiplied_by_0_is_said():
    found = taken(Plugin(past=0.0), SUPPLY)
    for name in ("memory", PAST):
        assert not found[name].live
        assert found[name].changed == 0
        assert found[name].reason.startswith("0.00 % of the pixels change")
    assert found["head"].live


@pytest.mark.slow
def test_flow_off_the_frame_is_said_under_the_name_of_warp():
    found = taken(Plugin(flow=1000.0), SUPPLY)
    assert found["warp"].reason.startswith("0.0% of the pixels find their source")
    assert not found[PAST].live


@pytest.mark.slow
def test_a_part_without_gradient_is_said():
    found = taken(Plugin(), SUPPLY | {"memory": Supply(0.0, 1.0), "backbone": Supply(1e-9, 0.0)})
    assert found["memory"].reason == "100% of its weights get no gradient"
    assert found["backbone"].reason == "its gradient is 1.0e-09 of the network's"


@pytest.mark.slow
def test_taking_pulses_leaves_the_network_as_it_was():
    net = Plugin().eval()
    frames = torch.randn(2, 2, 3, 16, 24)
    before = net(frames).logits
    first, second = taken(net, SUPPLY), taken(net, SUPPLY)
    assert first == second
    assert torch.equal(net(frames).logits, before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
