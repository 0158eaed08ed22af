"""What a benchmark is made of, as data: systems, tables, conditions, trials.

All are frozen and hashable; a `key` is a content hash, so equal content means equal key wherever it
was made. No torch here.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    model_validator,
)

from msaf_bench.errors import one_of
from msaf_bench.starting import Start, start_of, without_place


def _at_most(limit: float, why: str) -> AfterValidator:
    """A bound with its reason: what is far beyond it is a slip of the pen, and would only end when
    memory or patience does.
    """

    def check(value: float) -> float:
        if value > limit:
            raise ValueError(f"at most {limit:,} ({why})")
        return value

    return AfterValidator(check)


# Numbers as they are written: neither `true` nor 4.0 is a count.
Count = Annotated[int, Strict(), _at_most(1_000_000_000, "no run takes more steps")]
Few = Annotated[int, Strict(), _at_most(65_536, "more fit into no memory")]
Flag = Annotated[bool, Strict()]
Rate = Annotated[
    float, Strict(), Field(allow_inf_nan=False), _at_most(1000, "nothing learns beyond")
]
#: how a network is run: on a whole clip, or frame by frame with the state of its video
Mode = Literal["clip", "stream"]
MODES: tuple[Mode, ...] = ("clip", "stream")
Past = Literal["real", "still", "strangers", "aligned"]
LONGEST_SIDE = 32_768  #: of a frame, in pixels
Side = Annotated[int, Strict(), Field(gt=0), _at_most(LONGEST_SIDE, "no frame has a longer side")]
Scalar = bool | int | float | str
Option = Scalar | tuple[Scalar, ...]

#: what a table may print; `miou` is that of the validation split
METRICS = ("miou", "miou_test", "tc", "fps")
DATA_SETS = ("street", "camvid", "cityscapes")
#: presets of temporal consistency
CONSISTENCY = ("clean", "etc2020", "etc2020-thc", "vspw2021", "ewarp", "vc8", "vc16")
MOST_SEEDS = 1000  #: of a run; intervals hardly narrow beyond
VOID = 255  #: the label id that is no class, in every data set once it is read


class Spec(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def canonical(self, without: set[str] | None = None) -> str:
        """The content as one JSON text that does not depend on the order of keys, but for the
        fields named.
        """
        return json.dumps(
            self.model_dump(mode="json", exclude=without), sort_keys=True, separators=(",", ":")
        )


def content_hash(text: str) -> str:
    """The first 12 hex digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _sorted_pairs(value: object) -> object:
    return (
        tuple(sorted(cast("Mapping[str, object]", value).items()))
        if isinstance(value, Mapping)
        else value
    )


def _as_tuple(value: object) -> object:
    return (cast("object", value),) if isinstance(value, Mapping) else value


def _ordered_pairs(value: object) -> object:
    return (
        tuple(cast("Mapping[str, object]", value).items()) if isinstance(value, Mapping) else value
    )


def _kept_pairs(options: tuple[tuple[str, Option], ...]) -> list[list[Option]]:
    return [[name, without_place(value)] for name, value in options]


# Mappings that can be hashed: read from a TOML table, kept as pairs. Where the order carries no
# meaning they are sorted.
Options = Annotated[
    tuple[tuple[str, Option], ...],
    BeforeValidator(_sorted_pairs),
    PlainSerializer(_kept_pairs, when_used="json"),
]
Numbers = Annotated[tuple[tuple[str, float], ...], BeforeValidator(_sorted_pairs)]
Printed = Annotated[
    tuple[tuple[str, Annotated[float, Field(allow_inf_nan=False)]], ...],
    BeforeValidator(_sorted_pairs),
]
Names = Annotated[tuple[tuple[str, str], ...], BeforeValidator(_ordered_pairs)]


class Choice(Spec):
    """A component's name and options. In TOML: `"dcn"` or `{ use = "dcn", kernel = 5 }`."""

    use: str
    options: Options = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if isinstance(value, str):
            return {"use": value}
        if isinstance(value, Mapping) and "options" not in value:
            given = cast("Mapping[str, object]", value)
            return {
                "options": {k: v for k, v in given.items() if k != "use"},
                **{k: v for k, v in given.items() if k == "use"},
            }
        return cast("object", value)

    def __str__(self) -> str:
        texts = (
            f"{name}={start.shown if (start := start_of(name, value)) else value}"
            for name, value in self.options
        )
        return self.use + (f"({', '.join(texts)})" if self.options else "")


Slots = Annotated[tuple[tuple[str, Choice], ...], BeforeValidator(_sorted_pairs)]


class System(Spec):
    """An architecture with a choice for every slot: what `build` turns into a network."""

    architecture: str
    slots: Slots
    options: Options = ()
    name: str = ""
    title: str = ""
    source: str = ""
    licence: str = ""  #: of the official code, where there is one
    #: why it is only in the style of its source; empty where the source says enough to build it
    style: str = ""

    def __getitem__(self, slot: str) -> Choice:
        return dict(self.slots)[slot]

    def swap(self, slots: Slots = (), options: Options = (), *, name: str = "") -> Self:
        """The same system with some slots and options replaced.

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
        """The files of starting weights that its options name, `but` for those of one slot."""
        options = [self.options, *(choice.options for slot, choice in self.slots if slot != but)]
        return [
            start for each in options for name, value in each if (start := start_of(name, value))
        ]

    def trained(self) -> Self:
        """The system without its starting weights: what takes the weights of a checkpoint needs no
        others.
        """
        slots = tuple(
            (slot, choice.model_copy(update={"options": _without_starts(choice.options)}))
            for slot, choice in self.slots
        )
        return self.model_copy(update={"slots": slots, "options": _without_starts(self.options)})

    @property
    def key(self) -> str:
        """Content hash of what is built: two systems that differ only in name, title, source or
        licence are the same.
        """
        unnamed = self.model_copy(update={"name": "", "title": "", "source": ""})
        return content_hash(unnamed.canonical(without={"licence", "style"}))


def _without_starts(options: Options) -> Options:
    return tuple((name, value) for name, value in options if not start_of(name, value))


class Row(Spec):
    """One line of a table: a `swap` against the base system, or the `system` of `models/` it names,
    and what the paper printed.

    In a table without a base, a row that names no system is only printed: there is nothing to run
    yet.
    """

    swap: Slots = ()
    options: Options = ()
    system: str = ""
    model: str = ""  #: as the paper names it, like its year and backbone
    year: int | None = None
    backbone: str = ""
    block: str = ""  #: of the printed table; the paper marks the best number of each
    paper: Printed = ()
    best: tuple[str, ...] = ()  #: the metrics whose number the paper marks as the best
    #: metric -> how its number was made, where that is not what the table says
    provenance: Names = ()
    note: str = ""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.system and self.swap:
            raise ValueError("a row has 'swap' or 'system', not both")
        for metric in (*self.best, *dict(self.provenance)):
            one_of("printed metric", metric, dict(self.paper))
        return self


class Control(Spec):
    """A row of ours beside a table's own, never part of its comparisons: it shows what the run
    could have seen.

    `positive` must gain from the past where there is anything to gain, `bound` is the most that
    alignment could gain, `negative` must gain nothing over a network of one `single` frame, and a
    `reading` is another reading of the paper's text.
    """

    role: Literal["positive", "bound", "negative", "single", "reading"]
    system: str = ""  #: of `models/`; none: the table's base
    swap: Slots = ()
    options: Options = ()
    past: Past = "real"
    note: str = ""


class Axis(Spec):
    """A condition that a table is run over: every value is one whole table."""

    of: str  #: a condition, or an option such as `data_options.occluders`
    values: tuple[Option, ...] = Field(min_length=2)
    also: Annotated[
        tuple[tuple[str, tuple[Option, ...]], ...], BeforeValidator(_ordered_pairs)
    ] = ()  #: that change with it, value by value
    title: str = ""  #: in figures, with its unit

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        for name, values in self.also:
            if len(values) != len(self.values):
                raise ValueError(
                    f"also {name!r} has {len(values)} values, {self.of!r} has {len(self.values)};"
                    " give one for each"
                )
        return self

    @property
    def shown(self) -> str:
        """Its title, else its name."""
        return self.title or self.of.rpartition(".")[2].replace("_", " ")


class Ordering(Spec):
    """A sentence of the paper that one row is better than another."""

    better: str
    worse: str
    source: str
    #: by how many points, where the text says
    points: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Claim(Spec):
    """One number printed in the paper, with its place and its provenance."""

    row: str
    metric: str
    value: float
    place: str
    provenance: str
    dagger: bool = False  #: it was made otherwise than the table says of its numbers


class Table(Spec):
    """Ordered rows with what is measured and what the paper printed of them."""

    name: str
    title: str
    source: str
    provenance: str = ""
    data: str = ""  #: the data set of the printed numbers
    base: str = ""  #: the system that `swap` changes; none where every row names its own
    #: H, W that the systems' published cost is counted at; None: it is not
    cost_size: tuple[Side, Side] | None = None
    cost_classes: int = Field(0, ge=0)
    metrics: tuple[str, ...]
    reference: str  #: the row that all others are compared with
    rows: Annotated[tuple[tuple[str, Row], ...], BeforeValidator(_ordered_pairs)]
    controls: Annotated[tuple[tuple[str, Control], ...], BeforeValidator(_ordered_pairs)] = ()
    #: conditions that the whole table is run over
    axis: Annotated[tuple[Axis, ...], BeforeValidator(_as_tuple)] = ()
    #: column of the paper -> slot; ticked where a row's slot is filled as in the base
    ticks: Names = ()
    orderings: tuple[Ordering, ...] = ()
    #: points of mIoU within which two rows count as the same
    margin: float = Field(0.5, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _known_rows(self) -> Self:
        labels = dict(self.rows)
        for label in (
            self.reference,
            *(end for o in self.orderings for end in (o.better, o.worse)),
        ):
            one_of("row", label, labels)
        for metric in (*self.metrics, *(name for row in labels.values() for name, _ in row.paper)):
            one_of("metric", metric, METRICS)
        if self.data:
            one_of("data set", self.data, DATA_SETS)
        if taken := [label for label, _ in self.controls if label in labels]:
            raise ValueError(f"control {taken[0]!r} has the name of a row; give it another")
        if not self.base:
            if nameless := [label for label, control in self.controls if not control.system]:
                raise ValueError(
                    f"control {nameless[0]!r} changes a base system and the table has none; give it"
                    " a 'system'"
                )
            if changed := [
                label for label, row in self.rows if (row.swap or row.options) and not row.system
            ]:
                raise ValueError(
                    f"row {changed[0]!r} changes a base system and the table has none; give it a"
                    " 'base' or the row a 'system'"
                )
            if self.reference not in self.built:
                raise ValueError(
                    f"the reference row {self.reference!r} has no 'system': nothing could be"
                    " compared with it"
                )
        return self

    @property
    def built(self) -> tuple[str, ...]:
        """The labels of the rows that have a system; the others are only printed."""
        return tuple(label for label, row in self.rows if row.system or self.base)

    def claims(self) -> tuple[Claim, ...]:
        """Every printed number of the table."""
        return tuple(
            Claim(
                row=label,
                metric=metric,
                value=value,
                place=f"{self.source}, {label!r}",
                provenance=dict(row.provenance).get(metric, self.provenance),
                dagger=metric in dict(row.provenance),
            )
            for label, row in self.rows
            for metric, value in sorted(row.paper, key=lambda printed: METRICS.index(printed[0]))
        )


class Conditions(Spec):
    """All that must agree before two numbers may be compared. A preset is such a set, as data
    (`ablations/presets`).
    """

    preset: str
    data: str
    size: tuple[Side, Side]  #: H, W that every frame is brought to
    #: H, W of the random crop in training; None: the whole size
    crop: tuple[Side, Side] | None = None
    frames: Few = Field(3, ge=1)  #: T, the newest one is segmented
    train_spacing: Few = Field(ge=0)  #: source frames between two frames of a training clip
    score_spacing: Few = Field(ge=0)  #: the same in scoring
    steps: Count = Field(ge=1)
    batch: Few = Field(ge=1)
    lr: Rate = Field(gt=0)
    backbone_rate: Rate = Field(1.0, ge=0)  #: of the backbone's learning rate to the rest's
    warmup: Count = Field(0, ge=0)  #: steps of linear warm-up
    power: Rate = Field(0.9, ge=0)  #: of the poly decay
    weight_decay: Rate = Field(0.01, ge=0)
    scale: tuple[float, float] = (1.0, 1.0)  #: range of the random resize
    flip: Flag = True
    #: steps of the common pre-training of the backbone; 0: none
    pretrain_steps: Count = Field(0, ge=0)
    pretrain_lr: Rate = Field(0, ge=0)  #: its peak rate; 0: the same as `lr`
    checkpoint_every: Count = Field(0, ge=0)  #: steps between checkpoints; 0: one, at the end
    precision: Literal["fp32", "bf16"] = "fp32"
    #: what stands in for a slot's choice, or for a component or an architecture by its name, on a
    #: small machine
    shrink: Slots = ()
    shrink_options: Options = ()
    data_options: Options = ()
    void: Literal["ignore"] = "ignore"  #: unlabelled pixels of the truth are not scored
    #: tune: a quarter of the training split, which training then leaves out
    scored: Literal["score", "tune"] = "score"
    past: Past = "real"  #: what stands for a clip's past frames, in training and in scoring
    #: augmented versions of each clip that training repeats; 0: a fresh one in every step
    draws: Few = Field(0, ge=0)
    #: of a part's learning rate to the rest's, by a component of its weights' names, such as
    #: `offset` or `flow`
    rates: Numbers = ()
    #: where a past frame does not exist: repeat, leave the clip out, stop
    history: Literal["repeat", "skip", "error"] = "repeat"
    #: that temporal consistency is measured with; none: it is not
    flow: Literal["none", "exact", "dis", "farneback", "zero"] = "none"
    consistency: tuple[str, ...] = ("clean",)  #: presets of temporal consistency
    watermark: str = ""  #: printed over every result that is not meant to be read as one

    @model_validator(mode="after")
    def _known_presets(self) -> Self:
        for name in self.consistency:
            one_of("consistency preset", name, CONSISTENCY)
        return self

    @model_validator(mode="after")
    def _scale_in_order(self) -> Self:
        low, high = self.scale
        if not 0 < low <= high < float("inf"):
            raise ValueError(f"scale: [{low:g}, {high:g}] is no range above 0; write [low, high]")
        return self

    @model_validator(mode="after")
    def _rates_above_zero(self) -> Self:
        for part, rate in self.rates:
            if not 0 < rate < float("inf"):
                raise ValueError(f"rates.{part}: {rate:g} is no rate above 0")
        return self

    @property
    def key(self) -> str:
        """Content hash. Fields that came later count only where they are set, so that earlier
        trials keep their ids.
        """
        later = {
            name for name in _LATER if getattr(self, name) == type(self).model_fields[name].default
        }
        measured = tuple(_HASHED_AS.get(name, name) for name in self.consistency)
        return content_hash(
            self.model_copy(update={"consistency": measured}).canonical(without=later)
        )


_LATER = ("scored", "past", "draws", "rates")
# the older measure had the name `etc2020` in earlier ids
_HASHED_AS = {"etc2020": "etc2020-nvidia", "etc2020-thc": "etc2020"}


class Trial(Spec):
    """One (system, conditions, seed)."""

    system: System
    conditions: Conditions
    seed: int = Field(ge=0, lt=2**32)

    @property
    def id(self) -> str:
        """Content hash: the same trial has the same id in every run and on every machine."""
        return content_hash(f"{self.system.key} {self.conditions.key} {self.seed}")
