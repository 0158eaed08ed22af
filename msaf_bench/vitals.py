"""How alive the parts of a network are: what reaches them in training, and what of them reaches the
result.

A part is a child of the network (of MSAF: a slot). It is live if gradient reaches it, if the result
changes when it is silenced, and if its own gauges are in range. Shapes: N images, K classes, H W
label map.
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
    """Return the filled parts of a network by name, without those of training alone."""
    kept = {
        name: [module for module in modules if not _idle(module)]
        for name, modules in net.parts().items()
    }
    return {
        name: modules for name, modules in kept.items() if modules and name not in net.training_only
    }


def _idle(module: nn.Module) -> bool:
    """Whether it is a place that nothing fills ("none")."""
    return isinstance(module, nn.Identity) or getattr(module, "idle", False)


def gradients(
    net: nn.Module, parts: Parts, ran: Container[nn.Module] | None = None
) -> dict[str, Supply]:
    """Return the gradient of the last backward pass by part.

    A part that is frozen or rested in this step has none and is left out; of a part that consists
    of several modules the worst counts. A weight rested if its module is not in `ran` and nothing
    else brought it a gradient; without `ran` every module counts as run.
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
    """The share of whole filters without a gradient: on a small map the outer taps of a live one
    read nothing but padding.
    """
    if gradient is None:
        return 1.0
    filters = gradient.flatten(1) if gradient.ndim > 1 else gradient.view(-1, 1)
    return float((filters == 0).all(1).float().mean())


class _Place:
    """Follows one module of a part: calls `enter` and `leave` around the outermost of its modules
    that run.

    A network may call `head.classify(x)` or `backbone.layer1(x)` in place of the whole module.
    Those of its modules that run then, and run in no other of its modules, stand for it. Where
    `leave` returns something, that becomes their output.
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
    """Follow every module of every part; a place is "part/number.path of the outermost module"."""
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
    """Collect the gauges of each part, how many of its output channels vary over the image, and the
    modules that ran.
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
    """Readings -> by part and gauge, the mean over the calls; of a part that consists of several
    modules the worst counts.
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
    """Return the floating maps (..., C, h, w) of an output that have more than one place."""
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
    """Replace the output of each module by its mean over batch and places: nothing that depends on
    the image passes.

    Gives the places that were silenced so far: none if nothing of the modules runs, and then the
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
    """Watches the parts of a network while it trains; says once when a part dies and when it
    recovers.
    """

    def __init__(self, net: VideoNetwork, on_note: Callable[[str], None]) -> None:
        self.net, self.parts, self.on_note = net, parts_of(net), on_note
        self.supplies: dict[str, list[Supply]] = {}
        self.dead: set[str] = set()

    @contextmanager
    def watch(self, step: int, *, late: bool) -> Generator[None]:
        """Watch one training step (counted from 1), forward and backward; `late`: it belongs to the
        last tenth of the training.
        """
        with reading(self.parts) as listener:
            yield
        supplies, gauges = gradients(self.net, self.parts, listener.ran), gauges_of(listener)
        for name in {**supplies, **gauges}:
            if not name:
                continue  # a reading outside of all parts
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
        """The mean supply of each part over the last tenth of the training."""
        return {
            name: Supply(
                sum(s.relative for s in found) / len(found),
                sum(s.silent for s in found) / len(found),
            )
            for name, found in self.supplies.items()
        }
