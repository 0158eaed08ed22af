"""GRFP: gated recurrent flow propagation (Nilsson & Sminchisescu, CVPR 2018).

Shapes: B batch, T frames, K classes, H W image, h w grid.
"""

import torch
from torch import Tensor, nn

from msaf_bench.architectures.clip import newest
from msaf_bench.architectures.grfp.stgru import STGRU
from msaf_bench.architectures.loss import AUXILIARY, supervised
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.architectures.single_frame import auxiliary_head
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.blocks.warp import resize_flow
from msaf_bench.components.interfaces import Backbone, Flow, Head
from msaf_bench.data.transforms import denormalise
from msaf_bench.errors import UsageError
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": (), "head": ("channels", "num_classes"), "flow": ()}


class GRFP(VideoNetwork):
    """A single-frame network with a recurrent cell on its full-size scores.

    Clip (B, T, 3, H, W) -> logits (B, K, H, W). The scores of the oldest of the `frames` frames are
    the initial state. In training the single-frame network has a gradient in the newest `refined`
    frames only, and a loss of its own. The published one was trained before; here it is trained
    jointly.
    """

    recursive = True
    training_only: tuple[str, ...] = ("auxiliary",)

    def __init__(
        self,
        *,
        backbone: nn.Module,
        head: Head,
        auxiliary: nn.Module,
        flow: Flow,
        cell: nn.Module,
        frames: int,
        refined: int,
        corners: bool,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.auxiliary = auxiliary
        self.flow = flow.requires_grad_(False)  # frozen, as published
        self.cell = cell
        self.frames = frames
        self.refined = refined
        self.corners = corners

    def forward(self, clip: Tensor) -> Output:
        *older, image = newest(clip, self.frames).unbind(1)
        video = self.stream()
        for i, past in enumerate(older):
            with torch.set_grad_enabled(
                torch.is_grad_enabled() and i >= self.frames - self.refined
            ):
                scores = self.scores(Stages(*self.backbone(past)), past)
            video.advance(past, scores)
        stages = Stages(*self.backbone(image))
        scores = self.scores(stages, image)
        aux = {"scores": scores, "auxiliary": self.auxiliary(stages.f4)} if self.training else {}
        return Output(video.advance(image, scores), aux)

    def scores(self, stages: Stages, image: Tensor) -> Tensor:
        """Return a frame's own logits (B, K, H, W) for its stages."""
        return resize(self.head(stages), image, corners=self.corners)

    def propagate(self, scores: Tensor, image: Tensor, past: Tensor, reference: Tensor) -> Tensor:
        """Return the new state (B, K, H, W).

        Args:
            scores: Scores of the frame alone (B, K, H, W).
            image: The frame (B, 3, H, W), normalised.
            past: State at the previous frame (B, K, H, W).
            reference: The previous frame (B, 3, H, W), normalised.
        """
        with torch.no_grad():
            flow = resize_flow(self.flow(image, reference), (image.shape[-2], image.shape[-1]))
        now, before = (intensities(frame).to(frame.dtype) for frame in (image, reference))
        return self.cell(scores, now, past, before, flow)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the cross-entropy of the state and, in training, of the frame's own scores.

        In training 0.4 of the auxiliary head's cross-entropy is added.
        """
        return supervised(out, labels, AUXILIARY)

    def stream(self) -> "GRFPStream":
        """Return the stream of one video; it keeps the last frame and its state."""
        return GRFPStream(self)


class GRFPStream:
    """Stream of one video, frame by frame. The first frame is segmented alone."""

    cycle = 1

    def __init__(self, net: GRFP) -> None:
        self.net = net
        self.past: tuple[Tensor, Tensor] | None = None

    def reset(self) -> None:
        """Forget the video."""
        self.past = None

    def step(self, frame: Tensor) -> Tensor:
        """Return logits (B, K, H, W) for the next frame (B, 3, H, W)."""
        return self.advance(frame, self.net.scores(Stages(*self.net.backbone(frame)), frame))

    def advance(self, frame: Tensor, scores: Tensor) -> Tensor:
        """Return logits (B, K, H, W) for the next frame, given its own scores."""
        state = self.net.propagate(scores, frame, *self.past) if self.past else scores
        self.past = state, frame
        return state


def intensities(frames: Tensor) -> Tensor:
    """Convert normalised frames (B, 3, H, W) to colours from 0 to 255, the input of the cell."""
    return 255 * denormalise(frames)


def grfp(
    make: Make,
    num_classes: int,
    *,
    frames: int = 5,
    refined: int = 3,
    kernel: int = 7,
    literal_prior: bool = False,
    corners: bool = True,
) -> GRFP:
    """Build GRFP on a backbone, head and flow.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        frames: Number of frames per clip.
        refined: Number of newest frames with a gradient in the single-frame network.
        kernel: Side of the cell's convolutions; odd.
        literal_prior: Subtract 1/19 from the probabilities at any number of classes, as the
            official code does.
        corners: Align the corners when logits are enlarged.

    Raises:
        UsageError: An option is out of range.
    """
    if frames < 2 or refined < 1:
        raise UsageError(
            f"frames = {frames}, refined = {refined}; give at least 2 frames, and refine at least 1"
        )
    if kernel < 1 or kernel % 2 == 0:
        raise UsageError(f"kernel = {kernel} has no centre; choose an odd number")
    backbone: Backbone = make("backbone")
    return GRFP(
        backbone=backbone,
        head=make("head", channels=backbone.channels, num_classes=num_classes),
        auxiliary=auxiliary_head(backbone.channels[1], num_classes),
        flow=make("flow"),
        cell=STGRU(num_classes, kernel=kernel, prior=1 / (19 if literal_prior else num_classes)),
        frames=frames,
        refined=refined,
        corners=corners,
    )


ARCHITECTURE = Architecture(SLOTS, grfp)
