"""Streams: the state of one video. Shapes: B batch, K classes, H W image."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from torch import Tensor, nn

Seen = TypeVar("Seen")
Kept = TypeVar("Kept")


class FrameStream:
    """Stream of a single-frame network; it has no state."""

    cycle = 1

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def reset(self) -> None:
        """Do nothing: there is no state to forget."""

    def step(self, frame: Tensor) -> Tensor:
        """Return logits (B, K, H, W) for the next frame (B, 3, H, W)."""
        return self.net(frame[:, None]).logits


class WindowStream(Generic[Seen, Kept]):
    """Stream of a network that reads the newest `frames` frames.

    At the start, the first frame also stands for the missing frames before it.

    Args:
        frames: Number of frames in the window, with the newest one.
        see: Returns for a frame the input of its own logits, and the data to keep for later frames.
        read: Returns the logits (B, K, H, W) of the newest frame. It takes the input of its logits,
            the kept data of the whole window, oldest first, and the frame.
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
        """Return logits (B, K, H, W) for the next frame (B, 3, H, W)."""
        seen, own = self.see(frame)
        window = [*(self.past or [own] * (self.frames - 1)), own]
        self.past = window[1:]
        return self.read(seen, window, frame)
