"""A network's MACs by torch, fvcore and ptflops beside the formulas', and the gate that they must
pass.
"""

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

#: fvcore computes what it counts: frames of more rows or columns are cut to this
COMPUTED_SIDE = 64
#: relative difference that passes the gate
TOLERANCE = {"torch": 0.0, "ptflops": 0.005, "fvcore": 0.005}


class Counted(NamedTuple):
    """One counter's MACs at one size beside the formulas' at the same size; or the reason why there
    are none.
    """

    size: tuple[int, int]
    macs: int | None
    analytic: int
    reason: str

    @property
    def difference(self) -> float | None:
        """Relative to the formulas; a count where the formulas have none differs by 1."""
        if self.macs is None:
            return None
        return abs(self.macs - self.analytic) / (self.analytic or self.macs or 1)


def count_network(
    make: Callable[[], nn.Module], shape: tuple[int, ...], mode: str, cost: NetworkCost
) -> dict[str, Counted]:
    """Return the MACs by counter: torch and ptflops on tensors without content, fvcore on zeros of
    at most `COMPUTED_SIDE` rows and columns.

    Args:
        make: Gives the network on the meta device, a new one each time: counters leave hooks.
        shape: Of the input, (..., H, W).
        mode: clip or stream.
        cost: By the formulas, at `shape`.
    """
    small = (*shape[:-2], *(min(side, COMPUTED_SIDE) for side in shape[-2:]))

    def count(
        counter: Callable[[nn.Module, Tensor], Count], place: tuple[int, ...], device: str
    ) -> Counted:
        size = (place[-2], place[-1])
        net = make()
        try:
            expected = cost if place == shape else module_cost(net, place, mode=mode)
        except GateError as error:  # a network need not run at the small size
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
    # Memory that nobody wrote may hold numbers that are slow, or no numbers.
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
    """Raises `GateError` where a counter's MACs are not the formulas', with the first operator that
    torch counts otherwise. `make` and `shape` as in `count_network`.
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
                    f"torch gives {first.witnessed:,} MAC to {called}, the formula {first.macs:,}"
                )
            grid = "x".join(map(str, c.size))
            raise GateError(
                f"{name} counts {c.macs:,} MAC at {grid}, the formulas {c.analytic:,}"
                f" ({c.difference:.2%} apart); {where}"
            )


def check_known(cost: NetworkCost) -> None:
    """Raises `GateError` where operators without a formula give more of the output than may be left
    out.
    """
    if cost.blind_spots:
        said = ", ".join(
            f"{name} ({share:.1%} of all output elements)"
            for name, share in cost.blind_spots.items()
        )
        raise GateError(
            f"no formula for {said}: over {BLIND_SHARE:.1%}, so the total may be too low;"
            " --allow-uncounted leaves it out"
        )
