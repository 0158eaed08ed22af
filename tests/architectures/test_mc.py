import pytest
import torch
from torch import nn

from msaf_bench.architectures import build
from msaf_bench.architectures.mc import MonteCarlo, Sampling
from msaf_bench.data.transforms import MEAN, STD
from msaf_bench.errors import UsageError
from msaf_bench.ports import Stages
from msaf_bench.spec import System

PUBLISHED = {
    "mode": "rta",
    "samples": 5,
    "alpha": 0.2,
    "alpha_error": 0.7,
    "threshold": 40.0,
    "literal_flow": False,
    "seed": 0,
}


def small(**options):
    torch.manual_seed(0)
    system = System(
        architecture="mc",
        slots={
            "backbone": {"use": "segnet", "width": 4, "decoder": "narrow"},
            "head": {"use": "segnet-head", "last": "norm"},
            "flow": "zero",
        },
        options=options,
    )
    return build(system, 5).eval()


def clip(frames=5):
    torch.manual_seed(1)
    return torch.randn(2, frames, 3, 40, 56)


class Passes(nn.Module):
    """A backbone that gives a new, known tensor at each pass."""

    def __init__(self, results):
        super().__init__()
        self.results = list(results)
        self.dropout = nn.Dropout(0.5)

    def forward(self, image):
        return Stages(*[self.results.pop(0)] * 3)


class Shift(nn.Module):
    """A flow that says where it was asked from: one pixel right from the newest frame, one left
    from the past one.
    """

    def __init__(self, past):
        super().__init__()
        self.past = past

    def forward(self, image, reference):
        flow = image.new_zeros(1, 2, *image.shape[-2:])
        flow[:, 0] = -1.0 if torch.equal(image, self.past) else 1.0
        return flow


class NewestStage(nn.Module):
    def forward(self, stages):
        return stages.f5


def frames_and_passes():
    torch.manual_seed(2)
    pictures = torch.rand(2, 1, 3, 4, 5).double() * 255
    mean, deviation = (torch.tensor(v).double().view(3, 1, 1) for v in (MEAN, STD))
    return pictures, (pictures / 255 - mean) / deviation, torch.randn(2, 1, 3, 4, 5).double()


@pytest.mark.parametrize(("mode", "literal"), [("rta", False), ("ta", False), ("rta", True)])
def test_the_running_means_pixel_by_pixel(mode, literal):
    pictures, frames, passes = frames_and_passes()
    how = Sampling(**PUBLISHED | {"mode": mode, "literal_flow": literal})
    net = MonteCarlo(
        backbone=Passes(passes), head=NewestStage(), flow=Shift(frames[0]), frames=2, sampling=how
    ).eval()
    stream = net.stream()
    stream.step(frames[0])
    got = stream.step(frames[1])
    first, second = passes[:, 0].softmax(1)
    expected, square, own = (
        torch.zeros(3, 4, 5).double(),
        torch.zeros(3, 4, 5).double(),
        torch.zeros(4, 5).double(),
    )
    shares = set()
    for i in range(4):
        for j in range(5):
            inside = j + 1 < 5
            old = first[:, i, j + 1] if inside else torch.zeros(3)
            colour = pictures[0, 0, :, i, j + 1] if inside else torch.zeros(3)
            off = float((colour - pictures[1, 0, :, i, j]).abs().mean())
            share = 0.7 if mode == "rta" and off >= 40 else 0.2
            shares.add(share)
            new = second[:, i, j]
            expected[:, i, j] = (1 - share) * old + share * new
            square[:, i, j] = (1 - share) * old**2 + share * new**2
            own[i, j] = (1 - share) * (-(old * old.clamp(min=1e-30).log()).mean()) + share * (
                -(new * new.log()).mean()
            )
    assert shares == ({0.2, 0.7} if mode == "rta" else {0.2})
    torch.testing.assert_close(got[0].exp(), expected, rtol=1e-5, atol=1e-6, check_dtype=False)
    mean_entropy = -(expected * expected.log()).mean(0)
    wanted = {
        "entropy": mean_entropy,
        "bald": mean_entropy - own,
        "ratio": 1 - expected.amax(0),
        "variance": (square - expected**2).mean(0),
    }
    for kind, value in wanted.items():
        torch.testing.assert_close(
            stream.uncertainty(kind)[0], value, rtol=1e-4, atol=1e-6, check_dtype=False
        )


@pytest.mark.slow
def test_the_same_seed_gives_the_same_and_another_does_not():
    net, other, frames = small(), small(seed=1), clip()
    with torch.inference_mode():
        first = net(frames).logits
        torch.rand(7)  # what happens elsewhere changes nothing
        state = torch.get_rng_state()
        assert torch.equal(net(frames).logits, first)
        assert torch.equal(torch.get_rng_state(), state)
        assert not torch.allclose(other(frames).logits, first)


@pytest.mark.slow
def test_a_stream_draws_as_the_clip_does_and_again_after_a_reset():
    net = small()
    stream = net.stream()
    with torch.inference_mode():
        expected = net(clip()).logits
        for _ in range(2):
            *_, last = (stream.step(frame) for frame in clip().unbind(1))
            assert torch.equal(last, expected)
            stream.reset()


@pytest.mark.slow
def test_dropout_stays_off_outside_of_a_pass():
    net = small()
    net(clip())
    assert not any(m.training for m in net.modules())


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["rta", "mc"])
def test_the_variance_falls_with_the_number_of_passes(mode):
    def spread(passes):
        options = (
            {"mode": mode, "samples": passes} if mode == "mc" else {"mode": mode, "frames": passes}
        )
        still = clip(1).expand(-1, passes, -1, -1, -1)
        with torch.inference_mode():
            draws = [small(seed=seed, **options)(still).logits.exp() for seed in range(12)]
        return torch.stack(draws).var(0).mean().item()

    one, some, many = (spread(n) for n in (1, 3, 9))
    assert some < 0.75 * one
    assert many < 0.75 * some if mode == "mc" else many < some


@pytest.mark.slow
def test_mc_reads_one_frame_and_needs_no_flow():
    net = small(mode="mc", samples=2)
    assert (net.frames, net.recursive, net.flow) == (1, False, None)
    assert (small().frames, small().recursive) == (5, True)


def test_training_is_that_of_one_frame():
    net = small().train()
    out = net(clip())
    assert out.logits.min() < 0 < out.logits.max()
    net.loss(out, torch.zeros(2, 40, 56).long()).backward()


@pytest.mark.slow
def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="did you mean rta"):
        small(mode="rtb")
    with pytest.raises(UsageError, match="samples = 0"):
        small(mode="mc", samples=0)
    with pytest.raises(UsageError, match="reads 5 frames"):
        small()(clip(3))
    with pytest.raises(UsageError, match="call step first"):
        small().stream().uncertainty()
    with pytest.raises(UsageError, match="unknown uncertainty"):
        small().stream().uncertainty("doubt")
    with pytest.raises(UsageError, match="dropout"):
        build(
            System(
                architecture="mc",
                slots={"backbone": "resnet10", "head": "hrnet-head", "flow": "zero"},
            ),
            5,
        )
