"""MACs of a network by torch, fvcore and ptflops, compared with the formulas."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from msaf_bench.analyzers.cost.counters import Count, by_fvcore, by_ptflops, by_torch
from msaf_bench.analyzers.cost.system import (
    BLIND_SHARE,
    Inference,
    NetworkCost,
    first_difference,
    module_cost,
)
from msaf_bench.errors import GateError

#: fvcore executes the network while counting: its frames have at most this many rows and columns
COMPUTED_SIDE = 64
#: largest relative difference between a counter and the formulas
TOLERANCE = {"torch": 0.0, "ptflops": 0.005, "fvcore": 0.005}


class Counted(NamedTuple):
    """MACs at one size by one counter and by the formulas, or the reason why there are none."""

    size: tuple[int, int]
    macs: int | None
    analytic: int
    reason: str

    @property
    def difference(self) -> float | None:
        """Relative difference to the formulas; 1 if only the counter finds MACs."""
        if self.macs is None:
            return None
        return abs(self.macs - self.analytic) / (self.analytic or self.macs or 1)


def count_network(
    make: Callable[[], nn.Module], shape: tuple[int, ...], mode: str, cost: NetworkCost
) -> dict[str, Counted]:
    """Return the MACs by counter.

    torch and ptflops count on meta tensors, fvcore on zeros of at most `COMPUTED_SIDE` rows and
    columns.

    Args:
        make: Builds a new network on the meta device per call, because counters leave hooks.
        shape: Shape of the input, (..., H, W).
        mode: clip or stream.
        cost: Cost by the formulas at `shape`.
    """
    small = (*shape[:-2], *(min(side, COMPUTED_SIDE) for side in shape[-2:]))

    def count(
        counter: Callable[[nn.Module, Tensor], Count], place: tuple[int, ...], device: str
    ) -> Counted:
        size = (place[-2], place[-1])
        net = make()
        try:
            expected = cost if place == shape else module_cost(net, place, mode=mode)
        except GateError as error:  # the network may not support the small size
            return Counted(size, None, 0, str(error))
        with torch.no_grad():
            call = Inference(
                net if device == "meta" else _zeros(net, device),
                torch.zeros(place, device=device),
                mode,
            )
        macs, reason = counter(call, call.x)
        return Counted(size, macs, expected.total_macs, reason)

    return {
        "torch": count(by_torch, shape, "meta"),
        "ptflops": count(by_ptflops, shape, "meta"),
        "fvcore": count(by_fvcore, small, "cpu"),
    }


def _zeros(net: nn.Module, device: str) -> nn.Module:
    # Uninitialised memory may hold denormals, which are slow, or NaN.
    net = net.to_empty(device=device)
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            tensor.zero_()
    return net


def check_counts(
    make: Callable[[], nn.Module],
    shape: tuple[int, ...],
    mode: str,
    counted: Mapping[str, Counted],
) -> None:
    """Compare all counters with the formulas.

    Args:
        make: Builds a new network on the meta device.
        shape: Shape of the input, (..., H, W).
        mode: clip or stream.
        counted: Result of `count_network`.

    Raises:
        GateError: If a counter differs by more than `TOLERANCE`. The message names the first
            operator with different MACs by torch and by the formulas.
    """
    for name, c in counted.items():
        if c.difference is not None and c.difference > TOLERANCE[name]:
            first = first_difference(make(), (*shape[:-2], *c.size), mode)
            where = "torch agrees on every operator"
            if first:
                called = (
                    f"{first.name} in {first.path or 'the network'}, shapes {list(first.shapes)}"
                )
                where = (
                    f"torch counts {first.witnessed:,} MAC for {called}, the formula {first.macs:,}"
                )
            grid = "x".join(map(str, c.size))
            raise GateError(
                f"{name} counts {c.macs:,} MAC at {grid}, the formulas {c.analytic:,}"
                f" ({c.difference:.2%} apart); {where}"
            )


def check_known(cost: NetworkCost) -> None:
    """Raise `GateError` if an operator without a formula makes too much of the output.

    The limit is `BLIND_SHARE` of all output elements.
    """
    if cost.blind_spots:
        said = ", ".join(
            f"{name} ({share:.1%} of all output elements)"
            for name, share in cost.blind_spots.items()
        )
        raise GateError(
            f"no formula for {said}: over {BLIND_SHARE:.1%}, so the total may be too low;"
            " add --allow-uncounted to leave it out"
        )
