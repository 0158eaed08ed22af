"""Base classes of all architectures. Shapes: B batch, T frames, K classes, H W image, h w grid."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from msaf_bench.ports import Output, Stream


class VideoNetwork(nn.Module, ABC):
    """A video segmentation network: clip (B, T, 3, H, W), oldest frame first -> `Output`.

    A subclass sets `frames` and `backbone` and implements `forward`, `loss` and `stream`.
    Everything else has a default.
    """

    frames: int  #: number of frames it reads, the newest ones of a clip
    backbone: nn.Module  #: weights with the backbone's learning rate
    training_only: tuple[str, ...] = ()  #: names of the children that inference does not use
    #: whether its loss selects or counts by the outputs of the whole batch
    #: (`components.whole_batch.of_all`)
    batchwise_loss: bool = False
    recursive: bool = False  #: whether a stream's result depends on all frames since its reset
    #: names of the parts that choose a path through the network; their pulse is measured without
    #: silencing them
    deciding: tuple[str, ...] = ()

    __call__: Callable[[Tensor], Output]

    @abstractmethod
    def forward(self, clip: Tensor) -> Output:
        """Segment the newest frame. Raises `UsageError` if a clip has fewer than `frames`."""

    @abstractmethod
    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the training loss, a scalar. Labels are (B, H, W) with void = 255.

        The loss is a mean over the clips. Any other count, selection or random draw comes from
        `components.whole_batch`, so that a batch can be learnt in parts.
        """

    @abstractmethod
    def stream(self) -> Stream:
        """Return a new stream.

        After the frames of a clip, it gives the logits of that clip, and again after every full
        cycle.
        """

    def parts(self) -> Mapping[str, Sequence[nn.Module]]:
        """Return the parts measured by the pulse, by name; by default all children."""
        return {name: [child] for name, child in self.named_children()}


class ExtractingNetwork(VideoNetwork):
    """A network in two steps, so that features of a frozen backbone can be computed once."""

    input_scale: float = 1.0  #: factor on the size of the frames before the backbone

    def forward(self, clip: Tensor) -> Output:
        return self.from_features(self.extract(clip), clip)

    @abstractmethod
    def extract(self, clip: Tensor) -> tuple[Tensor, ...]:
        """Return the backbone features that the network uses of a clip, each (B, ...)."""

    @abstractmethod
    def still(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the features of the clip that repeats its newest frame."""

    @abstractmethod
    def from_features(self, features: tuple[Tensor, ...], frames: Tensor) -> Output:
        """Return the output at the size of `frames` (..., H, W)."""
