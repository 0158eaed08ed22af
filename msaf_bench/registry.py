"""Components by slot and name.

A registry is made by a call of `msaf_bench.architectures.builtin`: there is no global registry, and
importing a module registers nothing.

The positional parameters of a factory name the values (widths, other components) that it takes from
the architecture. Its keyword-only parameters are the options that a spec may set. Both are read
from the signature.
"""

import inspect
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, cast

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from msaf_bench.errors import BenchError, ForeignError, UsageError, one_of, text_of
from msaf_bench.foreign import guarded, named_when_slow
from msaf_bench.spec import Choice, System

if TYPE_CHECKING:
    from msaf_bench.architectures.network import VideoNetwork

Factory = Callable[..., Any]
LARGEST_OPTION = 65_536


class Slot(Mapping[str, Factory]):
    """One place in an architecture, with the factories that may fill it."""

    def __init__(self, name: str, factories: Mapping[str, Factory]) -> None:
        self.name = name
        self._factories = dict(factories)

    def add(self, name: str, factory: Factory) -> None:
        """Add a factory under a new name. Raises `UsageError` if the name is taken."""
        if name in self._factories:
            raise UsageError(f"{self.name} {name!r} is taken by {self._factories[name]!r}")
        self._factories[name] = factory

    def __getitem__(self, name: str) -> Factory:
        return self._factories[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._factories)

    def __len__(self) -> int:
        return len(self._factories)


class Make(Protocol):
    """Fills a slot with the component chosen by the system.

    The architecture offers all values that it declares for this slot, by name; the component takes
    those that it needs.
    """

    def __call__(self, slot: str, **offered: object) -> Any: ...


@dataclass(frozen=True)
class Architecture:
    """A network with slots, and its factory `(make, num_classes, *, options)`.

    `slots` maps each slot to the names of the values offered to its component. If the name of a
    slot is offered to another slot, it is filled through that one: MSAF offers `align` to `motion`.
    """

    slots: Mapping[str, tuple[str, ...]]
    factory: Factory


class Registry:
    """All slots with their components, and the architectures with these slots.

    A slot is also an attribute: `registry.align.add("shift", Shift)`. Networks are instances of
    `network`. `data` holds the data sets with their own code, as functions `(conditions, split,
    root)` that return clips: `registry.data.add("drone", open_drone)`.
    """

    def __init__(
        self,
        architecture: Mapping[str, Architecture],
        slots: Mapping[str, Slot],
        network: "type[VideoNetwork]",
    ) -> None:
        self.architecture = dict(architecture)
        self.slots = dict(slots)
        self.network = network
        self.data = Slot("data set", {})

    def __getattr__(self, name: str) -> Slot:
        slots: Mapping[str, Slot] = self.__dict__.get("slots", {})
        if name not in slots:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return slots[name]

    def slot(self, name: str) -> Slot:
        """Return the slot of that name. Raises `UsageError` with similar names."""
        return self.slots[one_of("slot", name, self.slots)]

    def names(self) -> set[str]:
        """Return the names of all slots, components and architectures."""
        return {*self.slots, *self.architecture}.union(*self.slots.values())

    def build(self, system: System, num_classes: int) -> "VideoNetwork":
        """Build the network of a system that has passed `check`.

        Raises `UsageError`, naming the slot, if a component cannot be built, or if the factory does
        not return a `VideoNetwork`.
        """
        architecture = self.architecture[system.architecture]

        def make(slot: str, **offered: object) -> object:
            if set(offered) != set(architecture.slots[slot]):
                raise TypeError(
                    f"slot {slot!r} declares {_listed(architecture.slots[slot])} but is offered"
                    f" {_listed(offered)}"
                )
            choice = system[slot]
            factory = self.slot(slot)[choice.use]
            with _making(f"{slot} {choice}"):
                taken = {name: offered[name] for name in _taken(factory)}
                return factory(**taken, **dict(choice.options))

        with _making(f"architecture {system.architecture}"):
            net: object = architecture.factory(make, num_classes, **dict(system.options))
        if not isinstance(net, self.network):
            raise UsageError(
                f"architecture {system.architecture}: its factory made a {type(net).__name__}, not"
                f" a {self.network.__name__}; subclass msaf_bench.{self.network.__name__}"
            )
        return net

    def extend(self, modules: Iterable[str] = ()) -> "Registry":
        """Add the components of installed plug-ins, then those of the named modules.

        Installed plug-ins are the entry points `msaf_bench.components`. Each plug-in's
        `register(registry)` is called. Raises `UsageError` if a plug-in fails, since a table
        without its rows would mislead.
        """
        installed = {
            point.name: point.load for point in entry_points(group="msaf_bench.components")
        }
        named = {name: partial(_register_of, name) for name in modules}
        for name, load in (installed | named).items():
            try:
                with (
                    guarded(f"plug-in {name!r}"),
                    named_when_slow(f"still loading plug-in {name!r}"),
                ):
                    load()(self)
            except ForeignError:
                raise
            except Exception as error:
                raise UsageError(
                    f"plug-in {name!r}: {_said(error)}; it must be importable and have"
                    " register(registry)"
                ) from error
            for key, known in self.architecture.items():
                if not (
                    isinstance(cast("object", known), Architecture)
                    and isinstance(cast("object", known.slots), Mapping)
                ):
                    raise UsageError(
                        f"plug-in {name!r}: architecture {key!r} is not a"
                        " msaf_bench.registry.Architecture(slots, factory)"
                    )
        return self

    def check(self, system: System) -> None:
        """Raise `UsageError` if a system cannot be built as specified.

        Checked are unknown architectures, components and options, missing slots, and choices
        without effect.
        """
        architecture = self.architecture[
            one_of("architecture", system.architecture, self.architecture)
        ]
        _check_options(
            f"architecture {system.architecture}", architecture.factory, dict(system.options)
        )
        chosen = dict(system.slots)
        for name in architecture.slots:
            if name not in chosen:
                raise UsageError(f"{system.architecture} needs a choice for the slot {name!r}")
        for name, choice in system.slots:
            one_of(f"slot of {system.architecture}", name, architecture.slots)
            factory = self.slot(name)[one_of(name, choice.use, self.slot(name))]
            _check_options(f"{name} {choice.use}", factory, dict(choice.options))
            offered = architecture.slots[name]
            if unknown := [taken for taken in _taken(factory) if taken not in offered]:
                raise UsageError(
                    f"component {name} {choice.use!r} asks for {unknown[0]!r}; the slot {name!r} of"
                    f" {system.architecture} offers: {_listed(offered)}"
                )
        self._check_used(architecture, chosen)

    def _check_used(self, architecture: Architecture, chosen: Mapping[str, Choice]) -> None:
        """Raise `UsageError` for a choice without effect.

        It is offered to another slot, but the component there does not take it.
        """
        for outer, offered in architecture.slots.items():
            taken = _taken(self.slot(outer)[chosen[outer].use])
            for inner in architecture.slots:
                if inner in offered and inner not in taken and chosen[inner].use != "none":
                    raise UsageError(
                        f"{inner} {chosen[inner].use!r} has no effect with {outer}"
                        f' {chosen[outer].use!r}; write {inner} = "none"'
                    )


def _taken(factory: Factory) -> list[str]:
    """Return the names of the offered values that a factory takes."""
    return [
        p.name
        for p in inspect.signature(factory).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD
    ]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


@contextmanager
def _making(what: str) -> Generator[None]:
    try:
        with guarded(what):
            yield
    except (BenchError, MemoryError):
        raise
    except Exception as error:
        raise UsageError(f"{what}: cannot be made: {_said(error)}") from error


def _said(error: Exception) -> str:
    return (
        text_of(error)
        if isinstance(error, BenchError | ImportError)
        else f"{type(error).__name__}: {text_of(error)}"
    )


def _register_of(module: str) -> Callable[["Registry"], None]:
    return import_module(module).register


def _check_options(what: str, factory: Factory, options: Mapping[str, object]) -> None:
    """Raise `UsageError` for an unknown option, or for a value of the wrong type."""
    allowed = {
        p.name: p.annotation
        for p in _signature(factory).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }
    for name, value in options.items():
        kind = allowed[one_of(f"option of {what}", name, allowed or ["no option at all"])]
        if kind is inspect.Parameter.empty:
            continue
        try:
            TypeAdapter(kind).validate_python(value, strict=True)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]["msg"]
            raise UsageError(
                f"option {name} of {what} = {value!r:.80}: {fault[:1].lower()}{fault[1:]}"
            ) from error
        except PydanticUserError:  # pydantic cannot check a plug-in's own types
            continue
        if isinstance(value, int) and abs(value) > LARGEST_OPTION:
            raise UsageError(
                f"option {name} of {what} = {value:,}: must be at most {LARGEST_OPTION:,}"
            )


def _signature(factory: Factory) -> inspect.Signature:
    try:
        return inspect.signature(factory, eval_str=True)
    except (
        NameError,
        TypeError,
        AttributeError,
        SyntaxError,
    ):  # annotations given as text that cannot be evaluated here
        return inspect.signature(factory)
