import pytest
import torch

from msaf_bench import build
from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.architectures.grfp import intensities
from msaf_bench.catalog import read_system
from msaf_bench.data.transforms import normalise
from msaf_bench.errors import UsageError
from msaf_bench.spec import VOID, System


def network(flow="dis", **options):
    torch.manual_seed(0)
    slots = {
        "backbone": {"use": "resnet10", "width": 8},
        "head": {"use": "psp", "width": 8},
        "flow": flow,
    }
    return build(
        System(architecture="grfp", slots=slots, options={"kernel": 3, **options}), 5
    ).eval()


def clip(frames=5, size=(33, 41)):
    return torch.randn(2, frames, 3, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes", "size", "parameters", "giga"),
    [
        ("grfp-psp101", 19, (1024, 2048), 37_408, 156.8),
        ("grfp-dilation8", 11, (720, 960), 13_096, 18.1),
    ],
)
def test_a_step_of_the_cell_costs_what_the_official_one_does(name, classes, size, parameters, giga):
    cost = system_cost(
        read_system(name).swap(options=(("frames", 2),)), classes, size, mode="stream"
    )
    assert cost.params["cell"] == parameters
    assert 2 * sum(cost.macs["cell"].values()) == pytest.approx(giga * 1e9, rel=2e-3)


@pytest.mark.slow
def test_the_first_state_is_the_oldest_frames_own_scores():
    net, frames = network(frames=3), clip(3)
    alone = [net.scores(net.backbone(frames[:, i]), frames[:, i]) for i in range(3)]
    state = alone[0]
    for i in (1, 2):
        flow = net.flow(frames[:, i], frames[:, i - 1])
        state = net.cell(
            alone[i], intensities(frames[:, i]), state, intensities(frames[:, i - 1]), flow
        )
    torch.testing.assert_close(net(frames).logits, state)
    torch.testing.assert_close(net.stream().step(frames[:, 0]), alone[0])


@pytest.mark.slow
def test_a_stream_goes_on_from_its_state():
    net, frames = network(frames=3), clip(5)
    video, whole = net.stream(), network(frames=5)
    with torch.inference_mode():
        steps = [video.step(frames[:, i]) for i in range(5)]
        torch.testing.assert_close(steps[2], net(frames[:, :3]).logits)
        torch.testing.assert_close(steps[4], whole(frames).logits)
        # the clip knows three frames, the stream all five
        assert not torch.allclose(steps[4], net(frames).logits)
        video.reset()
        torch.testing.assert_close(video.step(frames[:, 0]), steps[0])


@pytest.mark.parametrize("refined", [1, 2, 3])
def test_only_the_newest_frames_have_a_gradient(refined):
    net, learns = network(flow="zero", frames=3, refined=refined).train(), []
    net.backbone.register_forward_hook(
        lambda module, x, stages: learns.append(stages.f5.requires_grad)
    )
    net(clip(3))
    assert learns == [False] * (3 - refined) + [True] * refined


def test_in_training_the_frames_own_scores_count_too():
    net, labels = network(flow="zero", frames=2).train(), torch.randint(5, (2, 33, 41))
    out = net(clip(2))
    parts = {
        name: net.loss(out._replace(logits=mask, aux={}), labels) for name, mask in out.aux.items()
    }
    expected = net.loss(out._replace(aux={}), labels) + parts["scores"] + 0.4 * parts["auxiliary"]
    torch.testing.assert_close(net.loss(out, labels), expected)
    assert net.loss(out, torch.full_like(labels, VOID)) == 0
    assert not net.eval()(clip(2)).aux


def test_the_cell_reads_colours_from_0_to_255():
    picture = torch.randint(256, (2, 4, 5, 3), dtype=torch.uint8)
    torch.testing.assert_close(
        intensities(normalise(picture.numpy())),
        picture.movedim(-1, -3).float(),
        rtol=1e-4,
        atol=1e-3,
    )


def test_the_prior_is_that_of_the_classes_unless_taken_literally():
    assert network().cell.prior == 1 / 5
    assert network(literal_prior=True).cell.prior == 1 / 19


@pytest.mark.parametrize("options", [{"frames": 1}, {"refined": 0}, {"kernel": 4}])
def test_bad_options_are_named(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        network(**options)


def test_too_few_frames_are_named():
    with pytest.raises(UsageError, match="reads 5 frames"):
        network()(clip(4))
