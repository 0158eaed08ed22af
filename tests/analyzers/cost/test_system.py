"""A system's cost against closed forms, published counts and what a forward really does."""

from functools import partial

import pytest
import torch
from torch import nn

from msaf_bench import build, list_systems
from msaf_bench.analyzers.attention.complexity import Grid, d_transformer_macs
from msaf_bench.analyzers.cost.check import Counted, check_counts, check_known, count_network
from msaf_bench.analyzers.cost.system import (
    Inference,
    clip_shape,
    empty_network,
    first_difference,
    module_cost,
    system_cost,
)
from msaf_bench.catalog import read_conditions, read_system, shrunk
from msaf_bench.components.backbones.resnet import resnet18, resnet50, resnet101
from msaf_bench.errors import GateError, UsageError
from msaf_bench.spec import Choice


@pytest.mark.slow
@pytest.mark.parametrize("name", list_systems())
def test_parameters_are_those_of_the_built_network(name):
    cost = system_cost(name, 11, (64, 64))
    with torch.device("meta"):
        net = build(name, 11)
    for part in net.training_only:
        delattr(net, part)
    assert cost.total_params == sum(p.numel() for p in net.parameters())
    assert not cost.blind_spots


def counting(system, num_classes, size):
    """How a system is made on the meta device, and the shape of its clip."""
    make = partial(empty_network, system, num_classes)
    return make, clip_shape(make(), size)


@pytest.mark.slow
def test_a_cycle_is_counted_frame_by_frame():
    system = shrunk(read_system("dff-r101"), read_conditions("smoke", "street", systems=True))
    clip, stream = (system_cost(system, 5, (64, 96), mode=mode) for mode in ("clip", "stream"))
    assert clip.phases == (clip.total_macs,)
    assert len(stream.phases) == 5
    assert sum(stream.phases) == stream.total_macs
    key, *others = stream.phases
    assert set(others) == {others[0]}
    assert key > others[0] > 0
    # Four frames are carried forward by the flow network, one passes the key network.
    assert sum(stream.macs["backbone"].values()) < key
    cost = system_cost(system, 5, (64, 64), mode="stream")
    counted = count_network(*counting(system, 5, (64, 64)), "stream", cost)
    assert counted["torch"].macs == counted["torch"].analytic


def counted_in_a_stream(name, **options):
    system = shrunk(
        read_system(name).swap(options=options), read_conditions("smoke", "street", systems=True)
    )
    cost = system_cost(system, 5, (64, 64), mode="stream")
    counted = count_network(*counting(system, 5, (64, 64)), "stream", cost)
    check_counts(*counting(system, 5, (64, 64)), "stream", counted)
    return counted["fvcore"]


@pytest.mark.slow
def test_a_counter_that_traces_sees_what_a_stream_keeps_for_later():
    fvcore = counted_in_a_stream("stt-r18")
    assert fvcore.macs == fvcore.analytic


@pytest.mark.slow
def test_what_depends_on_the_video_is_not_traced():
    assert "cannot be traced" in counted_in_a_stream("lvs-r101").reason
    fixed = counted_in_a_stream("lvs-r101", schedule="fixed")
    assert fixed.macs == fixed.analytic


class Painter(nn.Module):
    """Repeats its frame 100 times."""

    frames = 1

    def __init__(self, cycle):
        super().__init__()
        self.cycle = cycle

    def step(self, frame):
        return torch.cat([frame] * 100)

    def stream(self):
        return self


@pytest.mark.slow
def test_frames_of_a_cycle_do_not_live_at_once():
    costs = [module_cost(Painter(cycle), (1, 1, 3, 4, 8), mode="stream") for cycle in (1, 5)]
    assert [len(cost.phases) for cost in costs] == [1, 5]
    assert {cost.live_bytes for cost in costs} == {100 * 3 * 4 * 8 * 4}


@pytest.mark.slow
def test_what_no_counter_sees_is_named():
    systems = {
        name: shrunk(read_system(name), read_conditions("smoke", "street", systems=True))
        for name in ("netwarp-psp101", "etc-psp18")
    }
    assert [
        "DIS" in what for what in system_cost(systems["netwarp-psp101"], 5, (32, 32)).outside
    ] == [True]
    assert system_cost(systems["etc-psp18"], 5, (32, 32)).outside == ()  # its flow is for training


# GFLOPs (2 MAC) of one 1024x2048 frame as others count them for the same dilated network, ours with
# a stem of one 7x7 convolution: a stem of three 3x3 (64, 64, 128) costs 113.3 more, one of (32, 32,
# 64) 20.0.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "params", "gflops"),
    [
        (resnet18, 11_176_512, 770.1),
        (resnet50, 23_508_032, 1708.0 - 113.3),
        (resnet50, 23_508_032, 1614.7 - 20.0),
        (resnet101, 42_500_160, 2949.2 - 113.3),
    ],
)
def test_backbones_cost_what_is_published(make, params, gflops):
    with torch.device("meta"):
        cost = module_cost(make(), (1, 3, 1024, 2048))
    assert cost.total_params == params
    assert 2 * cost.total_macs / 1e9 == pytest.approx(gflops, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(96, 128), (97, 101), (1024, 2048)])
def test_the_motion_branch_costs_its_closed_form(size):
    # down-sampled however small that leaves the map
    system = read_system("msaf-r18").swap((("motion", Choice(use="decoupled")),))
    cost = system_cost(system, 19, size)
    terms = d_transformer_macs(Grid(-(-size[0] // 8), -(-size[1] // 8)), 256)
    motion = cost.macs["motion"]
    assert sum(motion.values()) == sum(terms.values())
    assert motion["attention"] == terms["pst_attention"] + terms["att_attention"]
    assert motion["deformable product"] == terms["dcn"]
    assert motion["convolution"] == terms["dcn_offset"]


@pytest.mark.slow
def test_a_stream_costs_one_backbone_pass_a_step():
    clip, stream = (system_cost("msaf-r18", 19, (64, 96), mode=mode) for mode in ("clip", "stream"))
    for part in ("backbone", "entry"):
        assert sum(clip.macs[part].values()) == 3 * sum(stream.macs[part].values())
    for part in ("motion", "state", "assign"):
        assert clip.macs[part] == stream.macs[part]
    assert clip.params == stream.params


@pytest.mark.slow
def test_one_result_each_time_and_nothing_else_changes():
    net = build("msaf-r18", 5)
    modes, hooks = (
        [m.training for m in net.modules()],
        sum(len(m._forward_hooks) for m in net.modules()),
    )
    weights = {name: (p.data_ptr(), p.device.type) for name, p in net.named_parameters()}
    torch.manual_seed(0)
    state = torch.get_rng_state()
    costs = [
        module_cost(net, (1, 3, 3, 32, 48)),
        system_cost("msaf-r18", 5, (32, 48)),
        module_cost(net, (1, 3, 3, 32, 48)),
    ]
    assert costs[0] == costs[1] == costs[2]
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.training for m in net.modules()] == modes
    assert sum(len(m._forward_hooks) for m in net.modules()) == hooks
    assert {name: (p.data_ptr(), p.device.type) for name, p in net.named_parameters()} == weights


def test_activation_bytes_by_hand():
    # 4-byte elements: conv 8x6x6 -> ReLU in place -> conv 2x6x6; the input is not counted; both
    # outputs exist at once.
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 2, 1), nn.Flatten()
    )
    cost = module_cost(net, (1, 3, 6, 6))
    assert cost.activation_bytes == cost.live_bytes == 4 * 36 * (8 + 2)
    # A chain of five equal outputs never holds more than two of them.
    chain = module_cost(nn.Sequential(*(nn.Sigmoid() for _ in range(5))), (10,))
    assert (chain.activation_bytes, chain.live_bytes) == (5 * 40, 2 * 40)


def test_shared_parameters_count_once():
    a = nn.Linear(3, 3)
    assert module_cost(nn.Sequential(a, a), (2, 3)).params == {"0": 12, "(rest)": 0}
    assert module_cost(nn.Sequential(a, a), (2, 3)).total_macs == 2 * 2 * 9


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["clip", "stream"])
def test_every_counter_agrees(mode):
    system = read_system("msaf-r18")
    cost = system_cost(system, 7, (40, 56), mode=mode)
    counted = count_network(*counting(system, 7, (40, 56)), mode, cost)
    assert [c.reason for c in counted.values()] == [""] * 3
    assert counted["torch"].macs == counted["ptflops"].macs == cost.total_macs
    # In a stream the logits of the pixel branch are made, and nobody reads them: fvcore leaves them
    # out.
    unread = 0 if mode == "clip" else 5 * 7 * 256 * 7
    assert counted["fvcore"].macs == cost.total_macs - unread
    check_counts(*counting(system, 7, (40, 56)), mode, counted)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "macs"), [("torch", 1), ("fvcore", 10**9)])
def test_a_counter_in_disagreement_is_a_gate(name, macs):
    system = read_system("msaf-r18")
    cost = system_cost(system, 7, (16, 16))
    wrong = Counted((16, 16), cost.total_macs + macs, cost.total_macs, "")
    with pytest.raises(GateError, match=rf"{name} counts .*torch agrees on every operator"):
        check_counts(*counting(system, 7, (16, 16)), "clip", {name: wrong})
    check_counts(
        *counting(system, 7, (16, 16)),
        "clip",
        {
            "ptflops": Counted(
                (16, 16), cost.total_macs + cost.total_macs // 300, cost.total_macs, ""
            )
        },
    )


@pytest.mark.slow
def test_the_first_operator_that_differs_is_named(monkeypatch):
    from msaf_bench.analyzers.cost import formulas as op_formulas
    from msaf_bench.analyzers.cost import tally

    conv = op_formulas.PRODUCTS[torch.ops.aten.conv2d]

    def wrong_for_1x1(args, out):
        return conv.macs(args, out) + (args[1][-1] == 1)

    net = empty_network("msaf-r18", 7)
    assert first_difference(net, clip_shape(net, (16, 16)), "clip") is None
    monkeypatch.setitem(tally.PRODUCTS, torch.ops.aten.conv2d, conv._replace(macs=wrong_for_1x1))
    found = first_difference(net, clip_shape(net, (16, 16)), "clip")
    assert found is not None
    assert (found.path, found.name) == ("backbone.layer2.0.downsample.0", "aten.conv2d")
    assert found.macs == found.witnessed + 1
    wrong = Counted((16, 16), 10, 11, "")
    said = (
        rf"torch counts {found.witnessed:,} MAC for aten.conv2d in {found.path}, shapes \[.*\], the"
        rf" formula {found.macs:,}"
    )
    with pytest.raises(GateError, match=said):
        check_counts(*counting("msaf-r18", 7, (16, 16)), "clip", {"torch": wrong})


class Unknown(nn.Module):
    def forward(self, x):
        return torch.fft.rfft(x)


def test_an_operator_without_a_formula_is_listed_not_zero():
    cost = module_cost(nn.Sequential(nn.Linear(8, 8), Unknown()), (4, 8))
    assert cost.uncounted == {"aten._fft_r2c": pytest.approx(20 / 52)}
    with pytest.raises(GateError, match=r"aten\._fft_r2c .*--allow-uncounted"):
        check_known(cost)


class ReadsValues(nn.Module):
    def forward(self, x):
        return x * x.max().item()


def test_a_network_that_reads_values_cannot_be_counted_and_says_where():
    with pytest.raises(GateError, match=r"^1: cannot run at .*on meta tensors"):
        module_cost(nn.Sequential(nn.Linear(8, 8), ReadsValues()), (4, 8))


def test_a_size_beyond_64_bits_is_refused():
    with pytest.raises(UsageError, match="too large"):
        system_cost("msaf-r18", 19, (10**9, 10**9))


def test_unknown_mode():
    with pytest.raises(UsageError, match="stream"):
        system_cost("msaf-r18", 19, (16, 16), mode="strem")


@pytest.mark.slow
def test_a_stream_is_counted_in_its_steady_state():
    net = build("msaf-r18", 5).eval()
    clip = torch.randn(1, 3, 3, 16, 16)
    with torch.inference_mode():
        call = Inference(net, clip, "stream")
        assert call.x.shape == (1, 3, 16, 16)
        assert len(call.stream.past) == 2
