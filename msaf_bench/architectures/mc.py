"""Monte-Carlo dropout over time: the running mean of stochastic passes, one a frame (Huang et al.,
ECCV 2018).

Shapes: B batch, T frames, K classes, H W image.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures.clip import newest
from msaf_bench.architectures.loss import cross_entropy
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.blocks.warp import resize_flow, warp
from msaf_bench.components.interfaces import Backbone, Flow, Head
from msaf_bench.data.transforms import denormalise
from msaf_bench.errors import UsageError, one_of
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": (), "head": ("channels", "num_classes"), "flow": ()}
DROPOUTS = (nn.Dropout, nn.Dropout2d)
PROPAGATIONS = ("rta", "ta", "mc")
APART = 1_000_003  #: passes between two seeds
TINY = 1e-12  #: below the log of a probability
UNCERTAINTIES = ("entropy", "bald", "ratio", "variance")


@dataclass(frozen=True)
class Sampling:
    """How passes are averaged.

    "mc": the mean of `samples` passes on the newest frame. "ta": one pass a frame has the share
    `alpha` in the running mean, which is warped along. "rta": the same, with the share
    `alpha_error` where the warped past frame is off by `threshold` of 255 or more.
    """

    mode: str
    samples: int
    alpha: float
    alpha_error: float
    threshold: float
    literal_flow: bool  #: the negated flow from the past frame in place of the flow to it
    seed: int

    @property
    def passes(self) -> int:
        """Of a frame."""
        return self.samples if self.mode == "mc" else 1


class MonteCarlo(VideoNetwork):
    """Clip (B, T, 3, H, W) -> logits (B, K, H, W): the log of the running mean of softmaxes.
    Training is that of one frame.

    Pass i of a video draws its dropout by (seed, i), so a clip gives what a stream gives, and the
    same every time.
    """

    def __init__(
        self,
        *,
        backbone: nn.Module,
        head: Head,
        flow: Flow | None,
        frames: int,
        sampling: Sampling,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.flow = None if flow is None else flow.requires_grad_(False)
        self.frames = frames
        self.recursive = flow is not None
        self.sampling = sampling
        if not self._dropouts():
            raise UsageError(
                "mc: neither backbone nor head has dropout, so all passes are the same; choose"
                " segnet or a head with it"
            )

    def forward(self, clip: Tensor) -> Output:
        frames = newest(clip, self.frames)
        if self.training:
            return Output(self.logits(clip[:, -1]), {})
        stream = self.stream()
        *_, logits = (stream.step(frame) for frame in frames.unbind(1))
        return Output(logits, {})

    def logits(self, frame: Tensor) -> Tensor:
        """Frame (B, 3, H, W) -> logits (B, K, H, W) of one pass."""
        return resize(self.head(Stages(*self.backbone(frame))), frame)

    def draw(self, frame: Tensor, first: int) -> Tensor:
        """The means over the passes from number `first` on: of softmax, its square (B, K, H, W) and
        its entropy (B, 1, H, W), as one.
        """
        total = torch.zeros((), device=frame.device)
        for i in range(first, first + self.sampling.passes):
            with self._dropping(i, frame.device):
                p = functional.softmax(self.logits(frame).float(), 1)
            total = total + torch.cat((p, p * p, entropy(p)), 1)
        return total / self.sampling.passes

    def carry(self, past: Tensor, running: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
        """The running means brought to the newest frame, and the share (B, 1, H, W) that a new pass
        has in them.
        """
        how, size = self.sampling, (frame.shape[-2], frame.shape[-1])
        assert self.flow is not None
        flow = resize_flow(
            -self.flow(past, frame) if how.literal_flow else self.flow(frame, past), size
        )
        share = torch.full_like(frame[:, :1], how.alpha)
        if how.mode == "rta":
            picture = 255 * denormalise(frame)
            error = (
                (warp(255 * denormalise(past), flow, outside="zeros") - picture)
                .abs()
                .mean(1, keepdim=True)
            )
            share = torch.where(error < how.threshold, share, how.alpha_error)
        return warp(running, flow, outside="zeros"), share

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Cross-entropy."""
        return cross_entropy(out.logits, labels)

    def stream(self) -> "MonteCarloStream":
        """The state of one video: the running means, the newest frame and the number of passes."""
        return MonteCarloStream(self)

    def _dropouts(self) -> list[nn.Module]:
        return [
            m
            for part in (self.backbone, self.head)
            for m in part.modules()
            if isinstance(m, DROPOUTS)
        ]

    @contextmanager
    def _dropping(self, number: int, device: torch.device) -> Generator[None]:
        """While it is open, dropout is on and draws what pass `number` draws."""
        modes = [(m, m.training) for m in self._dropouts()]
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            # a CPU reads no more than 32 bits
            torch.manual_seed((self.sampling.seed * APART + number) % 2**32)
            for m, _ in modes:
                m.train()
            try:
                yield
            finally:
                for m, mode in modes:
                    m.train(mode)


class MonteCarloStream:
    """One video, frame by frame; at its start one pass stands alone."""

    cycle = 1

    def __init__(self, net: MonteCarlo) -> None:
        self.net = net
        self.reset()

    def reset(self) -> None:
        """Forgets the video, and draws as at its start."""
        self.passes = 0
        self.past: tuple[Tensor, Tensor] | None = None

    def step(self, frame: Tensor) -> Tensor:
        """Frame (B, 3, H, W) -> logits (B, K, H, W), the log of the running mean."""
        running = self.net.draw(frame, self.passes)
        self.passes += self.net.sampling.passes
        if self.past and self.net.recursive:
            carried, share = self.net.carry(*self.past, frame)
            running = (1 - share) * carried + share * running
        self.past = frame, running
        return self._means()[0].clamp(min=TINY).log()

    def uncertainty(self, kind: str = "entropy") -> Tensor:
        """Of the newest frame, (B, H, W).

        "entropy" is that of the mean, "bald" what of it the passes do not have themselves, "ratio"
        1 - the largest probability, "variance" that of the passes; all but "ratio" are means over
        the classes. Raises `UsageError` for another kind, and before the first frame.
        """
        one_of("uncertainty", kind, UNCERTAINTIES)
        mean, square, own = self._means()
        if kind == "ratio":
            return 1 - mean.amax(1)
        if kind == "variance":
            return (square - mean * mean).mean(1)
        return (entropy(mean) - (own if kind == "bald" else 0)).squeeze(1)

    def _means(self) -> tuple[Tensor, Tensor, Tensor]:
        if self.past is None:
            raise UsageError("there is no uncertainty before the first frame; call step first")
        running = self.past[1]
        k = running.shape[1] // 2
        return running[:, :k], running[:, k : 2 * k], running[:, 2 * k :]


def entropy(p: Tensor) -> Tensor:
    """Probabilities (B, K, H, W) -> the mean over the classes of -p log p, (B, 1, H, W)."""
    return torch.special.entr(p).mean(1, keepdim=True)  # pyright: ignore


def mc(
    make: Make,
    num_classes: int,
    *,
    mode: str = "rta",
    samples: int = 5,
    alpha: float = 0.2,
    alpha_error: float = 0.7,
    threshold: float = 40.0,
    frames: int = 5,
    literal_flow: bool = False,
    seed: int = 0,
) -> MonteCarlo:
    """The sampler of the components that `make` gives; `frames` is how many of a clip it goes
    through, `samples` counts in mode "mc".

    Raises `UsageError` for a mode or a number that there is not, and for components without
    dropout.
    """
    if samples < 1 or frames < 1:
        raise UsageError(f"mc: samples = {samples}, frames = {frames}; give at least 1")
    backbone: Backbone = make("backbone")
    still = one_of("mode of mc", mode, PROPAGATIONS) == "mc"
    return MonteCarlo(
        backbone=backbone,
        head=make("head", channels=backbone.channels, num_classes=num_classes),
        flow=None if still else make("flow"),
        frames=1 if still else frames,
        sampling=Sampling(mode, samples, alpha, alpha_error, threshold, literal_flow, seed),
    )


ARCHITECTURE = Architecture(SLOTS, mc)
