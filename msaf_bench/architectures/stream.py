"""The state of one video. Shapes: B batch, K classes, H W image."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from torch import Tensor, nn

Seen = TypeVar("Seen")
Kept = TypeVar("Kept")


class FrameStream:
    """The stream of a network of one frame: it keeps nothing."""

    cycle = 1

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""

    def step(self, frame: Tensor) -> Tensor:
        """Frame (B, 3, H, W) -> logits (B, K, H, W)."""
        return self.net(frame[:, None]).logits


class WindowStream(Generic[Seen, Kept]):
    """The stream of a network of the newest `frames` frames. At its start the first frame stands
    for those before it.

    Args:
        frames: number of frames in the window, the newest one included.
        see: computes of a frame what its own logits read, and what is kept of it for later frames.
        read: gives the logits (B, K, H, W) of the newest frame from the former, what is kept of
            the whole window, oldest first, and the frame.
    """

    cycle = 1

    def __init__(
        self,
        frames: int,
        see: Callable[[Tensor], tuple[Seen, Kept]],
        read: Callable[[Seen, Sequence[Kept], Tensor], Tensor],
    ) -> None:
        self.frames, self.see, self.read = frames, see, read
        self.past: list[Kept] = []

    def reset(self) -> None:
        """Forget the video."""
        self.past = []

    def step(self, frame: Tensor) -> Tensor:
        """Frame (B, 3, H, W) -> logits (B, K, H, W)."""
        seen, own = self.see(frame)
        window = [*(self.past or [own] * (self.frames - 1)), own]
        self.past = window[1:]
        return self.read(seen, window, frame)
