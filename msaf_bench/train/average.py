"""Moving average of the weights, which can be scored instead of them (Polyak and Juditsky 1992)."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

PREFIX = "average."  #: prefix of the averaged weights in a checkpoint


class Average:
    """Moving average of the trained weights. Buffers, such as running statistics, are not averaged.

    The decay after n steps is (1 + n) / (10 + n), up to its final value, so that the random start
    is soon forgotten.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {n: p for n, p in net.named_parameters() if p.requires_grad}
        self.means = {name: p.detach().clone() for name, p in self.weights.items()}

    @torch.no_grad()
    def update(self, done: int) -> None:
        """Update the average with the weights after `done` steps."""
        decay = min(self.decay, (1 + done) / (10 + done))
        for name, weights in self.weights.items():
            self.means[name].lerp_(weights, 1 - decay)

    def exchange(self) -> None:
        """Swap the average and the weights."""
        for name, weights in self.weights.items():
            self.means[name], weights.data = weights.data, self.means[name]

    @contextmanager
    def applied(self) -> Generator[None]:
        """Give the network the averaged weights inside the block."""
        self.exchange()
        try:
            yield
        finally:
            self.exchange()

    def tensors(self) -> dict[str, Tensor]:
        """Return the average as the tensors of a checkpoint."""
        return {PREFIX + name: mean for name, mean in self.means.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the average from the tensors of a checkpoint."""
        for name, mean in self.means.items():
            mean.copy_(tensors[PREFIX + name])
