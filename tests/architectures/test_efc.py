import pytest
import torch

from msaf_bench import build
from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.architectures.efc import WEIGHTS, FlowDecoder, FlowEstimate
from msaf_bench.architectures.efc.flow_loss import occlusion
from msaf_bench.errors import UsageError
from msaf_bench.spec import VOID, System

SLOTS = {"backbone": {"use": "resnet10", "width": 8}, "head": {"use": "psp", "width": 8}}


def network(**options):
    torch.manual_seed(0)
    return build(System(architecture="efc", slots=SLOTS, options={"width": 16, **options}), 5)


def clip(frames=5, size=(32, 48)):
    return torch.rand(2, frames, 3, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.slow
def test_it_costs_what_its_network_of_one_frame_costs():
    cost, alone = (system_cost(name, 11, (720, 960)) for name in ("efc-dilation8", "dilation8"))
    assert cost.total_params == alone.total_params == 134_313_443
    assert cost.total_macs == alone.total_macs
    assert 2 * cost.total_macs == pytest.approx(3592.4e9, rel=1e-4)


@pytest.mark.slow
def test_without_training_it_is_its_network_of_one_frame():
    net = network().eval()
    single = build(System(architecture="single-frame", slots=SLOTS), 5).eval()
    single.load_state_dict(
        {name: p for name, p in net.state_dict().items() if not name.startswith("decoder")}
    )
    torch.testing.assert_close(net(clip()).logits, single(clip()).logits)
    assert not net(clip()).aux


@pytest.mark.slow
def test_the_loss_is_the_weighted_sum_of_its_terms():
    net, labels = network().train(), torch.randint(5, (2, 32, 48))
    out = net(clip())
    assert set(out.aux) == set(WEIGHTS)
    motion = sum(
        WEIGHTS[name] * out.aux[name]
        for name in ("consistency", "photometric", "smoothness", "occlusion")
    )
    masks = net.loss(out._replace(aux={}), labels) + 0.4 * net.loss(
        out._replace(logits=out.aux["auxiliary"], aux={}), labels
    )
    torch.testing.assert_close(net.loss(out, labels), masks + motion)
    torch.testing.assert_close(net.loss(out, torch.full_like(labels, VOID)), motion)


@pytest.mark.slow
def test_the_past_is_left_out_where_there_is_none():
    assert set(network().train()(clip(frames=1)).aux) == {"auxiliary"}


@pytest.mark.slow
def test_the_other_frame_is_within_reach():
    net, read = network(reach=2).train(), []
    net.backbone.register_forward_pre_hook(lambda module, x: read.append(x[0]))
    frames = clip()
    for _ in range(12):
        net(frames)
    others = {next(t for t in range(5) if torch.equal(frames[:, t], image)) for image in read[1::2]}
    assert others == {2, 3}


class Known(torch.nn.Module):
    """A decoder that knows the motion: what is at p in a first frame is at p + (1, 0) in the
    second.
    """

    def forward(self, features, other):
        b, _, h, w = features.shape
        flow = torch.zeros(b, 2, h, w)
        flow[: b // 2, 0], flow[b // 2 :, 0] = 1.0, -1.0
        occluded = 20 * (2 * occlusion(flow.roll(b // 2, 0)) - 1)  # what is occluded, it knows too
        return [FlowEstimate(flow, occluded)]


def test_losses_vanish_at_the_true_motion():
    """Pictures and features that move by one cell: nothing but the flow's own smoothness is left
    where nothing is occluded.
    """
    net = network()
    net.decoder = Known()
    world = torch.rand(1, 6, 8, 13)
    first, second = world[..., 1:], world[..., :-1]
    both = torch.cat((first, second))
    losses = net.motion_losses(both[:, :3], both[:, 3:])
    assert losses["consistency"] < 1e-6
    assert losses["smoothness"] == 0
    assert losses["occlusion"] < 1e-6
    still = net.motion_losses(torch.cat((first, first))[:, :3], torch.cat((first, first))[:, 3:])
    assert still["consistency"] > 0.05
    assert still["photometric"] > losses["photometric"]


def test_the_decoder_gives_three_scales():
    estimates = FlowDecoder(6, width=16)(torch.randn(2, 6, 5, 7), torch.randn(2, 6, 5, 7))
    assert [tuple(e.flow.shape) for e in estimates] == [
        (2, 2, 5, 7),
        (2, 2, 10, 14),
        (2, 2, 20, 28),
    ]
    assert [tuple(e.occluded.shape) for e in estimates] == [
        (2, 1, 5, 7),
        (2, 1, 10, 14),
        (2, 1, 20, 28),
    ]
    assert all(e.flow.abs().max() < 0.1 for e in estimates)


@pytest.mark.parametrize("options", [{"width": 4}, {"reach": 0}])
def test_bad_options_are_named(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        network(**options)
