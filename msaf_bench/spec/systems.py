"""Systems: an architecture with a component for every slot. No torch here."""

from collections.abc import Mapping
from typing import Annotated, Self, cast

from pydantic import BeforeValidator, model_validator

from msaf_bench.errors import one_of
from msaf_bench.spec.values import Options, Spec, content_hash, sorted_pairs
from msaf_bench.starting import Start, start_of, starts_of


class Choice(Spec):
    """Name and options of a component. In TOML: `"dcn"` or `{ use = "dcn", kernel = 5 }`."""

    use: str
    options: Options = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if isinstance(value, str):
            return {"use": value}
        if isinstance(value, Mapping) and "options" not in value:
            options = dict(cast("Mapping[str, object]", value))
            use = {"use": options.pop("use")} if "use" in options else {}
            return {"options": options, **use}
        return cast("object", value)

    def __str__(self) -> str:
        if not self.options:
            return self.use
        texts: list[str] = []
        for name, value in self.options:
            start = start_of(name, value)
            texts.append(f"{name}={start.shown if start else value}")
        return f"{self.use}({', '.join(texts)})"

    def starts(self) -> list[Start]:
        """Return the files of starting weights named in the options."""
        return starts_of(self.options)


Slots = Annotated[tuple[tuple[str, Choice], ...], BeforeValidator(sorted_pairs)]


class System(Spec):
    """Architecture with a component for every slot; `build` turns it into a network."""

    architecture: str
    slots: Slots
    options: Options = ()
    name: str = ""
    title: str = ""
    source: str = ""
    licence: str = ""  #: licence of the official code, if it exists
    #: why it is only in the style of its source; empty if the source defines it completely
    style: str = ""

    def __getitem__(self, slot: str) -> Choice:
        return dict(self.slots)[slot]

    def swap(self, slots: Slots = (), options: Options = (), *, name: str = "") -> Self:
        """Return the same system with some slots and options replaced.

        Raises `UsageError` for a slot that this architecture does not have.
        """
        for slot, _ in slots:
            one_of("slot", slot, dict(self.slots))
        changed = {
            "slots": dict(self.slots) | dict(slots),
            "options": dict(self.options) | dict(options),
        }
        return type(self).model_validate(
            {
                "name": name or self.name,
                "architecture": self.architecture,
                "style": self.style,
                **changed,
            }
        )

    def starts(self, *, but: str = "") -> list[Start]:
        """Return the files of starting weights named in the options, except those of slot `but`."""
        own = starts_of(self.options)
        return own + [
            start for slot, choice in self.slots if slot != but for start in choice.starts()
        ]

    def start_text(self) -> str:
        """Return the starting point for records and plans: files of weights, or "random"."""
        return "; ".join(map(str, self.starts())) or "random"

    def trained(self) -> Self:
        """Return the system without its starting weights.

        A system that gets the weights of a checkpoint needs no others.
        """
        slots = tuple(
            (slot, choice.model_copy(update={"options": _without_starts(choice.options)}))
            for slot, choice in self.slots
        )
        return self.model_copy(update={"slots": slots, "options": _without_starts(self.options)})

    @property
    def key(self) -> str:
        """Content hash of the built network.

        Systems that differ only in name, title, source or licence have the same key.
        """
        unnamed = self.model_copy(update={"name": "", "title": "", "source": ""})
        return content_hash(unnamed.canonical(without={"licence", "style"}))


def _without_starts(options: Options) -> Options:
    return tuple((name, value) for name, value in options if not start_of(name, value))
