"""Monte Carlo dropout over time: a running mean of stochastic passes (Huang et al., ECCV 2018).

Each frame adds one pass. Shapes: B batch, T frames, K classes, H W image.
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
APART = 1_000_003  #: distance of two seeds, in passes
TINY = 1e-12  #: least probability before the log
UNCERTAINTIES = ("entropy", "bald", "ratio", "variance")


@dataclass(frozen=True)
class Sampling:
    """Rule for the average over passes.

    "mc" averages `samples` passes on the newest frame. "ta" adds one pass per frame with weight
    `alpha` to a running mean that is warped along flow. "rta" does so too, but with weight
    `alpha_error` at pixels with a warping error of at least `threshold` (of 255).
    """

    mode: str
    samples: int
    alpha: float
    alpha_error: float
    threshold: float
    literal_flow: bool  #: use the negated flow from the past frame instead of the flow to it
    seed: int

    @property
    def passes(self) -> int:
        """Number of passes per frame."""
        return self.samples if self.mode == "mc" else 1


class MonteCarlo(VideoNetwork):
    """Clip (B, T, 3, H, W) -> logits (B, K, H, W): the log of the running mean of softmaxes.

    Training is that of the single-frame network. Pass i of a video draws its dropout from
    (seed, i), so a clip and a stream give the same, reproducible result.
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
                "mc: neither backbone nor head has dropout, so all passes are equal; choose"
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
        """Return logits (B, K, H, W) of one pass for a frame (B, 3, H, W)."""
        return resize(self.head(Stages(*self.backbone(frame))), frame)

    def draw(self, frame: Tensor, first: int) -> Tensor:
        """Return means over the passes from number `first` on, concatenated along the channels.

        They are the means of the softmax (B, K, H, W), of its square (B, K, H, W) and of its
        entropy (B, 1, H, W).
        """
        total = torch.zeros((), device=frame.device)
        for i in range(first, first + self.sampling.passes):
            with self._dropping(i, frame.device):
                p = functional.softmax(self.logits(frame).float(), 1)
            total = total + torch.cat((p, p * p, entropy(p)), 1)
        return total / self.sampling.passes

    def carry(self, past: Tensor, running: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Warp the running means to the newest frame.

        Also returns the weight (B, 1, H, W) of a new pass in them.
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
        """Return the cross-entropy."""
        return cross_entropy(out.logits, labels)

    def stream(self) -> "MonteCarloStream":
        """Return the stream of one video.

        It keeps the running means, the newest frame and the number of passes.
        """
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
        """Turn dropout on inside the context, with the random draws of pass `number`."""
        modes = [(m, m.training) for m in self._dropouts()]
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            # the CPU generator uses 32 bits of a seed
            torch.manual_seed((self.sampling.seed * APART + number) % 2**32)
            for m, _ in modes:
                m.train()
            try:
                yield
            finally:
                for m, mode in modes:
                    m.train(mode)


class MonteCarloStream:
    """Stream of one video, frame by frame; the running mean starts with the first frame."""

    cycle = 1

    def __init__(self, net: MonteCarlo) -> None:
        self.net = net
        self.reset()

    def reset(self) -> None:
        """Forget the video and restart the random draws."""
        self.passes = 0
        self.past: tuple[Tensor, Tensor] | None = None

    def step(self, frame: Tensor) -> Tensor:
        """Return logits (B, K, H, W) for the next frame (B, 3, H, W).

        They are the log of the running mean.
        """
        running = self.net.draw(frame, self.passes)
        self.passes += self.net.sampling.passes
        if self.past and self.net.recursive:
            carried, share = self.net.carry(*self.past, frame)
            running = (1 - share) * carried + share * running
        self.past = frame, running
        return self._means()[0].clamp(min=TINY).log()

    def uncertainty(self, kind: str = "entropy") -> Tensor:
        """Return the uncertainty of the newest frame, (B, H, W).

        "entropy" is the entropy of the mean prediction. "bald" subtracts the mean entropy of the
        passes from it. "ratio" is 1 minus the largest probability. "variance" is the variance over
        the passes. All except "ratio" are means over the classes. Raises `UsageError` if the kind
        is unknown, or before the first frame.
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
            raise UsageError("no uncertainty before the first frame; call step first")
        running = self.past[1]
        k = running.shape[1] // 2
        return running[:, :k], running[:, k : 2 * k], running[:, 2 * k :]


def entropy(p: Tensor) -> Tensor:
    """Return the mean over the classes of -p log p, (B, 1, H, W), for p (B, K, H, W)."""
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
    """Build Monte Carlo dropout on a backbone and head, with flow except in mode "mc".

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        mode: "rta", "ta" or "mc"; see `Sampling`.
        samples: Number of passes per frame; only for "mc".
        alpha: Weight of a new pass in the running mean.
        alpha_error: Weight of a new pass at pixels with a large warping error.
        threshold: Warping error (of 255) that counts as large.
        frames: Number of frames per clip; 1 in mode "mc".
        literal_flow: Use the negated flow from the past frame instead of the flow to it.
        seed: Seed of the dropout.

    Raises:
        UsageError: The mode is unknown, a number is out of range, or the components have no
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
