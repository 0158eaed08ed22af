"""Liveness of the parts of a network: their gradient and their effect on the result.

A part is a child of the network (in MSAF, a slot). It is live if gradient reaches it, if silencing
it changes the result, and if its own gauges are in range. Shapes: N images, K classes, H W label
map.
"""

from collections.abc import Callable, Collection, Container, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.components.gauges import Listener, Reading, listening
from msaf_bench.liveness import GAUGES, Supply, complaint

Parts = Mapping[str, Sequence[nn.Module]]
Gauges = dict[str, dict[str, float]]  # part -> gauge -> value


def parts_of(net: VideoNetwork) -> dict[str, list[nn.Module]]:
    """Return the filled parts of a network by name, except those used in training only."""
    kept = {
        name: [module for module in modules if not _idle(module)]
        for name, modules in net.parts().items()
    }
    return {
        name: modules for name, modules in kept.items() if modules and name not in net.training_only
    }


def _idle(module: nn.Module) -> bool:
    """Return whether a module is an empty place ("none")."""
    return isinstance(module, nn.Identity) or getattr(module, "idle", False)


def gradients(
    net: nn.Module, parts: Parts, ran: Container[nn.Module] | None = None
) -> dict[str, Supply]:
    """Return the gradient of the last backward pass by part.

    Parts without gradient, frozen or unused in this step, are left out. A part with several modules
    has the value of the worst. A weight counts as unused if its module is not in `ran` and it has
    no gradient from elsewhere; without `ran`, every module counts as used.
    """
    trained = {
        p: module
        for module in net.modules()
        for p in module.parameters(recurse=False)
        if p.requires_grad
    }
    used = dict.fromkeys(
        p for p, module in trained.items() if p.grad is not None or ran is None or module in ran
    )
    whole = _rms(used)
    found: dict[str, Supply] = {}
    for name, modules in parts.items():
        own = [
            weights
            for module in modules
            if (weights := [p for p in module.parameters() if p in used])
        ]
        if own:
            each = [
                Supply(_rms(weights) / whole if whole else 0.0, _silent(weights)) for weights in own
            ]
            found[name] = Supply(min(s.relative for s in each), max(s.silent for s in each))
    return found


def _rms(weights: Collection[nn.Parameter]) -> float:
    squares = [p.grad.float().square().sum() for p in weights if p.grad is not None]
    return (
        (float(torch.stack(squares).sum()) / sum(p.numel() for p in weights)) ** 0.5
        if squares
        else 0.0
    )


def _silent(weights: Collection[nn.Parameter]) -> float:
    return sum(p.numel() * _silent_share(p.grad) for p in weights) / sum(p.numel() for p in weights)


def _silent_share(gradient: Tensor | None) -> float:
    """Return the share of filters without gradient.

    Whole filters are counted, because the outer taps of a live filter on a small map read only
    padding.
    """
    if gradient is None:
        return 1.0
    filters = gradient.flatten(1) if gradient.ndim > 1 else gradient.view(-1, 1)
    return float((filters == 0).all(1).float().mean())


class _Place:
    """Follows one module of a part, calling `enter` and `leave` around its outermost modules.

    `enter` is called before such a module runs, `leave` after it. A network may call
    `head.classify(x)` or `backbone.layer1(x)` instead of the whole module. The submodules that then
    run, and run in no other submodule, stand for the module. A value returned by `leave` replaces
    their output.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        enter: Callable[[str], None],
        leave: Callable[[str, object], object],
    ) -> None:
        inner = cast("Iterable[tuple[str, nn.Module]]", module.named_modules())
        self.names = {each: f"{name}.{path}" for path, each in inner}
        self.enter, self.leave = enter, leave
        self.depth = 0

    def before(self, module: nn.Module, args: object) -> None:
        self.depth += 1
        if self.depth == 1:
            self.enter(self.names[module])

    def after(self, module: nn.Module, args: object, out: object) -> object:
        self.depth -= 1
        return None if self.depth else self.leave(self.names[module], out)


@contextmanager
def _followed(
    parts: Parts, enter: Callable[[str], None], leave: Callable[[str, object], object]
) -> Generator[None]:
    """Follow every module of every part.

    A place is named "part/number.path of the outermost module".
    """
    with ExitStack() as stack:
        for name, modules in parts.items():
            for i, module in enumerate(modules):
                place = _Place(f"{name}/{i}", module, enter, leave)
                for inner in place.names:
                    stack.callback(inner.register_forward_pre_hook(place.before).remove)
                    stack.callback(inner.register_forward_hook(place.after).remove)
        yield


@contextmanager
def reading(parts: Parts) -> Generator[Listener]:
    """Collect the gauges of each part and the modules that ran.

    The share of output channels that vary over the image is one of the gauges.
    """
    with listening() as listener, ExitStack() as stack:

        def leave(place: str, out: object) -> None:
            listener.stack.pop()
            listener.readings.extend(Reading(place, "varying", _varying(t)) for t in _maps(out))

        for inner in {
            inner for modules in parts.values() for module in modules for inner in module.modules()
        }:
            stack.callback(
                inner.register_forward_hook(lambda m, args, out: listener.ran.add(m)).remove
            )
        stack.enter_context(_followed(parts, listener.stack.append, leave))
        yield listener


def gauges_of(listener: Listener) -> Gauges:
    """Return the mean reading over the calls, by part and gauge.

    A part with several modules has the value of the worst.
    """
    by_module: dict[tuple[str, str], dict[str, list[float]]] = {}
    for place, name, value in listener.readings:
        part, _, module = place.partition("/")
        by_module.setdefault((part, name), {}).setdefault(module, []).append(value)
    found: Gauges = {}
    for (part, name), modules in by_module.items():
        means = [sum(values) / len(values) for values in modules.values()]
        known = GAUGES.get(name)
        found.setdefault(part, {})[name] = (
            min(means) if known and known.low > float("-inf") else max(means)
        )
    return found


def _maps(out: object) -> list[Tensor]:
    """Return the floating-point maps (..., C, h, w) of an output that have more than one place."""
    tensors = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
    return [
        t for t in tensors if t.ndim >= 4 and t.is_floating_point() and t.shape[-2:].numel() > 1
    ]


@torch.no_grad()
def _varying(out: Tensor) -> float:
    flat = out.detach().flatten(-2)
    return float((flat.amax(-1) > flat.amin(-1)).float().mean())


@contextmanager
def silenced(modules: Sequence[nn.Module]) -> Generator[list[str]]:
    """Replace the output of each module by its mean over batch and places, which removes the image.

    Yields the list of places silenced so far. If it stays empty, none of the modules ran, and the
    result says nothing about them.
    """
    places: list[str] = []

    def leave(place: str, out: object) -> object:
        places.append(place)
        return tree_map(_flattened, out)

    with _followed({"": modules}, lambda place: None, leave):
        yield places


def _flattened(leaf: object) -> object:
    if not isinstance(leaf, Tensor) or not leaf.is_floating_point() or not leaf.ndim:
        return leaf
    axes = (0, -2, -1) if leaf.ndim >= 3 else (0,)
    return leaf.mean(axes, keepdim=True).expand_as(leaf).contiguous()


class Monitor:
    """Watches the parts of a network during training, and reports when a part dies or recovers."""

    def __init__(self, net: VideoNetwork, on_note: Callable[[str], None]) -> None:
        self.net, self.parts, self.on_note = net, parts_of(net), on_note
        self.supplies: dict[str, list[Supply]] = {}
        self.dead: set[str] = set()

    @contextmanager
    def watch(self, step: int, *, late: bool) -> Generator[None]:
        """Watch the forward and backward pass of one training step, counted from 1.

        With `late`, the step belongs to the last tenth of the training.
        """
        with reading(self.parts) as listener:
            yield
        supplies, gauges = gradients(self.net, self.parts, listener.ran), gauges_of(listener)
        for name in {**supplies, **gauges}:
            if not name:
                continue  # a reading outside all parts
            if late and name in supplies:
                self.supplies.setdefault(name, []).append(supplies[name])
            why = complaint(gauges.get(name, {}), supplies.get(name))
            if why and name not in self.dead:
                self.on_note(f"step {step}: {name} is not live: {why}")
                self.dead.add(name)
            elif not why and name in self.dead:
                self.on_note(f"step {step}: {name} is live again")
                self.dead.discard(name)

    def supply(self) -> dict[str, Supply]:
        """Return the mean supply of each part over the last tenth of the training."""
        return {
            name: Supply(
                sum(s.relative for s in found) / len(found),
                sum(s.silent for s in found) / len(found),
            )
            for name, found in self.supplies.items()
        }
