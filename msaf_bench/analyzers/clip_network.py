"""Wrapper that makes any callable a network of this project.

Shapes: B batch, T frames, K classes, H W image, h w logits.
"""

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn

from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.errors import UsageError
from msaf_bench.ports import Output, Stream

Segment = Callable[[Tensor], object]  #: clip (B, T, 3, H, W) -> logits (B, K, h, w), or `.logits`


class ClipNetwork(VideoNetwork):
    """Network around a callable that returns logits (B, K, h, w) or an object with `logits`.

    The callable gets a clip (B, T, 3, H, W) or, with `picture`, its newest frame (B, 3, H, W).
    """

    def __init__(self, segment: Segment, frames: int, *, picture: bool = False) -> None:
        super().__init__()
        self.segment, self.frames, self.picture = segment, frames, picture
        self.backbone = nn.Identity()

    def forward(self, clip: Tensor) -> Output:
        given = self.segment(clip[:, -1] if self.picture else clip[:, -self.frames :])
        logits = getattr(given, "logits", given)
        if not isinstance(logits, Tensor):
            raise UsageError(
                f"the network returns {type(logits).__name__}; return logits (B, K, h, w), or an"
                " object with an attribute `logits`"
            )
        return Output(logits, {})

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Raise `UsageError`: a wrapped callable can be measured but not trained."""
        raise UsageError("this network has no loss; it can be measured, not trained")

    def stream(self) -> Stream:
        """Raise `UsageError`: a wrapped callable keeps no state between frames."""
        raise UsageError("mode 'stream': the network has no method stream(); use mode 'clip'")


def as_network(
    net: nn.Module | Segment, frames: int | None = None, *, default: int | None = None
) -> VideoNetwork:
    """Return `net` itself if it is a network of this project, else a `ClipNetwork` around it.

    Args:
        net: A module, or any callable of a tensor.
        frames: Number of frames in its clip; defaults to its attribute `frames`.
        default: Number of frames if neither is given; None for a single image (B, 3, H, W).
    """
    if isinstance(net, VideoNetwork):
        return net
    read = frames if frames is not None else cast("int | None", getattr(net, "frames", default))
    return ClipNetwork(net, 1 if read is None else read, picture=read is None)
