"""The base of every architecture. Shapes: B batch, T frames, K classes, H W image, h w grid."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from msaf_bench.ports import Output, Stream


class VideoNetwork(nn.Module, ABC):
    """A video segmentation network: clip (B, T, 3, H, W), oldest frame first -> `Output`.

    A subclass sets `frames` and `backbone` and gives `forward`, `loss` and `stream`. Everything
    else has a default.
    """

    frames: int  #: number of a clip's frames that it reads, the newest ones
    backbone: nn.Module  #: holds the weights that learn at the backbone's rate
    training_only: tuple[str, ...] = ()  #: names of the children that no inference uses
    #: whether its loss selects by, or divides by the number of, what only the outputs of the whole
    #: batch tell (`components.whole_batch.of_all`)
    batchwise_loss: bool = False
    recursive: bool = False  #: whether a stream's result depends on all frames since its reset
    #: names of the parts that choose a way through the network: their pulse is read without
    #: silencing them
    deciding: tuple[str, ...] = ()

    __call__: Callable[[Tensor], Output]

    @abstractmethod
    def forward(self, clip: Tensor) -> Output:
        """Segment the newest frame. Raises `UsageError` for a clip of fewer than `frames`."""

    @abstractmethod
    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the training loss, a scalar. Labels are (B, H, W) with void = 255.

        It is a mean over the clips; what else it counts, selects or draws comes from
        `components.whole_batch`, so that a batch may be learnt in parts.
        """

    @abstractmethod
    def stream(self) -> Stream:
        """Return a fresh stream: after the frames of a clip it gives the logits of that clip, and
        again after every whole cycle.
        """

    def parts(self) -> Mapping[str, Sequence[nn.Module]]:
        """Return the parts whose pulse is taken, by name: by default the children."""
        return {name: [child] for name, child in self.named_children()}


class ExtractingNetwork(VideoNetwork):
    """A network in two steps, so that the features of a frozen backbone can be computed once and
    kept.
    """

    input_scale: float = 1.0  #: factor by which it resizes its frames before the backbone

    def forward(self, clip: Tensor) -> Output:
        return self.from_features(self.extract(clip), clip)

    @abstractmethod
    def extract(self, clip: Tensor) -> tuple[Tensor, ...]:
        """Return the backbone features that the network reads of a clip, each (B, ...)."""

    @abstractmethod
    def still(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the features of the clip that repeats its newest frame."""

    @abstractmethod
    def from_features(self, features: tuple[Tensor, ...], frames: Tensor) -> Output:
        """Return the output of the size of `frames` (..., H, W)."""
