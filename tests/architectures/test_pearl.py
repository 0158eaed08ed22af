import pytest
import torch
from torch.nn import functional

from msaf_bench import build
from msaf_bench.analyzers.cost.system import module_cost, system_cost
from msaf_bench.architectures.pearl import Discriminator, gradient_difference, reverse, widened
from msaf_bench.components.backbones.resnet import resnet18
from msaf_bench.errors import UsageError
from msaf_bench.spec import VOID, System


def system(backbone="resnet18", **options):
    slots = {"backbone": {"use": backbone, "width": 8}, "head": {"use": "fcn", "width": 16}}
    return System(architecture="pearl", slots=slots, options={"width": 16, **options})


@pytest.fixture
def net():
    torch.manual_seed(0)
    return build(system(), 5)


@pytest.fixture
def clip():
    torch.manual_seed(1)
    return torch.randn(2, 5, 3, 32, 48)


def test_the_gradient_difference_is_the_mean_over_both_axes():
    one, other = (torch.randn(2, 3, 4, 5, dtype=torch.float64) for _ in range(2))
    total = 0.0
    for dy, dx in ((1, 0), (0, 1)):
        terms = [
            abs(
                abs(float(one[n, c, y + dy, x + dx] - one[n, c, y, x]))
                - abs(float(other[n, c, y + dy, x + dx] - other[n, c, y, x]))
            )
            for n in range(2)
            for c in range(3)
            for y in range(4 - dy)
            for x in range(5 - dx)
        ]
        total += sum(terms) / len(terms)
    assert float(gradient_difference(one, other)) == pytest.approx(total)
    assert gradient_difference(one, 2 - one) == pytest.approx(0, abs=1e-12)


def test_a_reversed_gradient_climbs():
    x = torch.randn(4, dtype=torch.float64, requires_grad=True)
    y = reverse(x, 0.25)
    assert torch.equal(y, x)
    (y**2).sum().backward()
    torch.testing.assert_close(x.grad, -0.25 * 2 * x.detach())


def test_the_generator_is_taught_against_the_discriminator(net, clip):
    """By -0.01 of what the fake frame does to the discriminator's loss; the discriminator itself
    descends.
    """
    out = net.train()(clip)
    frame = out.aux["predicted"].detach().requires_grad_()
    functional.softplus(net.discriminator(frame)).mean().backward()
    judged = functional.softplus(out.aux["fake"]).mean()
    (taught,) = torch.autograd.grad(judged, out.aux["predicted"], retain_graph=True)
    torch.testing.assert_close(taught, -0.01 * frame.grad)
    last = net.discriminator[-1].weight
    (own,) = torch.autograd.grad(judged, last)
    torch.testing.assert_close(own, last.grad)


def test_the_discriminator_is_of_four_layers_and_sees_patches():
    judge = Discriminator(64)
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in judge) == 4
    assert judge(torch.randn(1, 3, 64, 96)).shape == (1, 1, 7, 11)


@pytest.mark.slow
def test_the_encoder_starts_from_the_mean_of_its_frames():
    torch.manual_seed(0)
    plain = resnet18(width=8).eval()
    for stem in ("plain", "deep"):
        torch.manual_seed(0)
        plain, wide = resnet18(width=8, stem=stem).eval(), resnet18(width=8, stem=stem).eval()
        wide.load_state_dict(plain.state_dict())
        stack = torch.randn(1, 4, 3, 32, 48)
        wide = widened(wide, 4)
        with torch.no_grad():
            torch.testing.assert_close(
                wide(stack.flatten(1, 2)).f5, plain(stack.mean(1)).f5, rtol=1e-4, atol=1e-4
            )


def test_what_is_expected_does_not_see_the_newest_frame(net, clip):
    net.eval()
    seen = []
    net.transform.register_forward_hook(lambda module, args, out: seen.append(out))
    other = clip.clone()
    other[:, -1] += 1
    with torch.inference_mode():
        assert not torch.equal(net(clip).logits, net(other).logits)
        assert torch.equal(*seen)
        other = clip.clone()
        other[:, 0] += 1
        assert not torch.equal(net(clip).logits, net(other).logits)


def test_the_loss_is_the_sum_of_its_parts(net, clip):
    labels = torch.randint(5, (2, 32, 48))
    out = net.train()(clip)
    aux = out.aux
    assert torch.equal(aux["seen"], clip[:, -1])
    parts = [
        functional.cross_entropy(out.logits, labels),
        functional.cross_entropy(
            functional.interpolate(aux["expected"], (32, 48), mode="bilinear"), labels
        ),
        (aux["predicted"] - clip[:, -1]).abs().mean(),
        gradient_difference(aux["predicted"], clip[:, -1]),
        functional.binary_cross_entropy_with_logits(aux["real"], torch.ones_like(aux["real"])),
        functional.binary_cross_entropy_with_logits(aux["fake"], torch.zeros_like(aux["fake"])),
    ]
    torch.testing.assert_close(net.loss(out, labels), sum(parts))
    void = torch.full_like(labels, VOID)
    torch.testing.assert_close(net.loss(out, void), sum(parts[2:]))
    assert net.loss(net.eval()(clip), void) == 0


@pytest.mark.slow
def test_inference_uses_no_part_of_the_prediction_of_frames(net, clip):
    del net.generator, net.discriminator
    net.eval()
    with torch.inference_mode():
        stream = net.stream()
        steps = [stream.step(frame) for frame in clip.unbind(1)]
        torch.testing.assert_close(steps[-1], net(clip).logits)
    assert len(stream.past) == 4


@pytest.mark.slow
def test_two_encoders_cost_twice():
    cost = system_cost(system(), 19, (256, 512), mode="stream")
    with torch.device("meta"):
        parser = build(system(), 19).backbone[0]
    single = module_cost(parser, (1, 3, 256, 512))
    stem = 128 * 256 * 8 * 49 * 9  # three more frames
    assert sum(cost.macs["backbone"].values()) == 2 * single.total_macs + stem


def test_bad_requests_are_named(net, clip):
    with pytest.raises(UsageError, match="reads 5 frames"):
        net(clip[:, 1:])
    with pytest.raises(UsageError, match="choose a resnet"):
        build(system("psp18"), 5)
