"""The moving average of the weights that a training may score in their place (Polyak and Juditsky
1992).
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

PREFIX = "average."  #: of the names in a checkpoint


class Average:
    """Moving average of the weights that learn. Buffers, such as running statistics, are those of
    the network.

    The decay grows to its value as (1 + n) / (10 + n) over the first steps n, so that the random
    start is soon forgotten.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {n: p for n, p in net.named_parameters() if p.requires_grad}
        self.means = {name: p.detach().clone() for name, p in self.weights.items()}

    @torch.no_grad()
    def update(self, done: int) -> None:
        """Take in the weights after so many steps."""
        decay = min(self.decay, (1 + done) / (10 + done))
        for name, weights in self.weights.items():
            self.means[name].lerp_(weights, 1 - decay)

    def exchange(self) -> None:
        """Put the average in place of the weights, or the weights back."""
        for name, weights in self.weights.items():
            self.means[name], weights.data = weights.data, self.means[name]

    @contextmanager
    def applied(self) -> Generator[None]:
        """Let the network have the averaged weights inside."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps of it."""
        return {PREFIX + name: mean for name, mean in self.means.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        for name, mean in self.means.items():
            mean.copy_(tensors[PREFIX + name])
