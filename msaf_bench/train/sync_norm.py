"""Batch norm over the whole batch of several processes.

torch's own version on a GPU; ours elsewhere, because torch's needs a GPU. Shapes: N images, C
channels.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]


class _Sum(torch.autograd.Function):
    """Sum over the processes; its gradient is summed too."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        total = x.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Sum.forward(ctx, gradient)


class SyncBatchNorm(_BatchNorm):
    """Batch norm (N, C, ...) -> (N, C, ...) with mean and variance over the clips of all processes.

    All processes have the same number of clips.
    """

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        pass

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if not self.training:
            return super().forward(input)
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        axes = [axis for axis in range(x.ndim) if axis != 1]
        count = x.numel() // x.shape[1] * distributed.get_world_size()
        mean = self._sum(x.sum(axes, keepdim=True)) / count
        centred = x - mean
        variance = self._sum(centred.square().sum(axes, keepdim=True)) / count
        if self.track_running_stats:
            self._note(mean.flatten(), variance.flatten() * (count / max(1, count - 1)))
        y = centred * (variance + self.eps).rsqrt()
        if self.affine:
            shape = variance.shape
            y = y * self.weight.view(shape) + self.bias.view(shape)
        return y.to(input.dtype)

    def _sum(self, x: Tensor) -> Tensor:
        return cast("Tensor", _Sum.apply(x))

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:
            share = 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


@contextmanager
def synchronised(net: nn.Module) -> Generator[None]:
    """Synchronise every batch norm of a network inside the block.

    Weights, statistics and names stay the same.
    """
    places = [
        (parent, name, child)
        for parent in net.modules()
        for name, child in parent.named_children()
        if isinstance(child, _BatchNorm)
    ]
    twins = {norm: _twin(norm) for _, _, norm in places}
    for parent, name, norm in places:
        setattr(parent, name, twins[norm])
    try:
        yield
    finally:
        for parent, name, norm in places:
            norm.train(twins[norm].training)
            setattr(parent, name, norm)


def _twin(norm: Any) -> nn.Module:
    """Return a synchronised norm that shares the tensors of a plain one."""
    device = next((t.device for t in norm.state_dict().values()), torch.device("cpu"))
    kind = nn.SyncBatchNorm if device.type == "cuda" else SyncBatchNorm
    twin = kind(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    ).train(norm.training)
    for name, weights in norm.named_parameters():
        setattr(twin, name, weights)
    for name, statistics in norm.named_buffers():
        setattr(twin, name, statistics)
    return twin
