"""Conditions of a comparison, and the trials that are run under them. No torch here."""

from typing import Literal, Self

from pydantic import Field, model_validator

from msaf_bench.errors import one_of
from msaf_bench.spec.data_sets import DataSet
from msaf_bench.spec.systems import Slots, System
from msaf_bench.spec.values import (
    Count,
    Few,
    Flag,
    Numbers,
    Options,
    Past,
    Rate,
    Side,
    Spec,
    content_hash,
)
from msaf_bench.starting import OPTION, start_of

#: presets of temporal consistency
CONSISTENCY = ("clean", "etc2020", "etc2020-thc", "vspw2021", "ewarp", "vc8", "vc16")
# Later fields count in a key only where they are set, so that earlier trials keep their ids.
#: how a step is computed; reports show those that are not as they were before they could be chosen
_STEP = ("accumulate", "channels_last", "compile", "checkpoint_activations", "ema", "deterministic")
_LATER = (
    *("scored", "past", "draws", "rates", "start", "described", "validate_every", "keep"),
    *_STEP,
)
#: what a row of a table may change: how it is trained, never what it is trained on or measured by
OF_A_ROW = (
    *("steps", "batch", "accumulate", "lr", "backbone_rate", "warmup", "power", "weight_decay"),
    *("rates", "crop", "scale", "flip", "draws", "precision", "ema"),
)
# the older measure had the name `etc2020` in earlier ids
_HASHED_AS = {"etc2020": "etc2020-nvidia", "etc2020-thc": "etc2020"}


class Conditions(Spec):
    """All that must agree before two numbers may be compared. A preset is such a set, as data
    (`ablations/presets`).
    """

    preset: str
    data: str
    #: the data set of that name, where a file of the user's own describes it
    described: DataSet | None = None
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
    #: steps between validations on a held-out part of the training split; 0: none, nothing held out
    validate_every: Count = Field(0, ge=0)
    #: weights that are kept and scored: of the last step, or of the highest validation mIoU
    keep: Literal["last", "best"] = "last"
    #: of matrix products and convolutions in training: fp32, the same with TF32, or autocast
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = "fp32"
    #: parts that a batch is learnt in, one after the other; batch norm sees one part at a time
    accumulate: Few = Field(1, ge=1)
    channels_last: Flag = False  #: memory layout of the network
    compile: Flag = False  #: run the network through `torch.compile` in training
    #: keep few activations in the forward pass and compute the others again in the backward pass
    checkpoint_activations: Flag = False
    #: decay, for each step, of the moving average of the weights that is scored; 0: the weights
    ema: Rate = Field(0, ge=0, lt=1)
    deterministic: Flag = False  #: ask for deterministic kernels, where there are others
    #: what stands in for a slot's choice, or for a component or an architecture by its name, on a
    #: small machine
    shrink: Slots = ()
    shrink_options: Options = ()
    #: file of starting weights, by its content, for the name of a backbone as run, or of a system
    start: Options = ()
    data_options: Options = ()
    void: Literal["ignore"] = "ignore"  #: unlabelled pixels of the truth are not scored
    #: tune: a quarter of the training split, which training then leaves out; validate: the part of
    #: it that training is validated on
    scored: Literal["score", "tune", "validate"] = "score"
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
    def _validation_within_training(self) -> Self:
        if self.validate_every > self.steps:
            raise ValueError(
                f"validate_every: {self.validate_every} is beyond the training's {self.steps}"
                f" steps; give 1 to {self.steps}, or 0 for no validation"
            )
        if self.scored == "validate" and not self.validate_every:
            raise ValueError("scored: 'validate' needs validation; add --set validate_every=N")
        if self.keep == "best" and not self.validate_every:
            raise ValueError("keep: 'best' needs validation; add --set validate_every=N")
        return self

    @model_validator(mode="after")
    def _batch_in_parts(self) -> Self:
        if self.batch % self.accumulate:
            raise ValueError(
                f"accumulate: a batch of {self.batch} has no {self.accumulate} equal parts; give a"
                " divisor of the batch"
            )
        return self

    @model_validator(mode="after")
    def _compiled_or_checkpointed(self) -> Self:
        if self.compile and self.checkpoint_activations:
            raise ValueError(
                "compile: a compiled network cannot checkpoint activations; set one of the two"
            )
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

    @model_validator(mode="after")
    def _starts_by_content(self) -> Self:
        for name, file in self.start:
            start = start_of(OPTION, file)
            if start is None or not start.sha256:
                raise ValueError(
                    f"start.{name}: {file!r:.80} is no file by its content; use --start"
                )
        return self

    def document(self) -> dict[str, object]:
        """Return the conditions as reports show them: those of validation only where it is on, the
        data set only where a file of the user's own describes it, and of how a step is computed
        those that are not the default.
        """
        hidden = set[str]() if self.validate_every else {"validate_every", "keep"}
        hidden |= {name for name in _STEP if self._is_default(name)}
        if self.described is None:
            hidden.add("described")
        return self.model_dump(mode="json", exclude=hidden)

    def _is_default(self, name: str) -> bool:
        return getattr(self, name) == type(self).model_fields[name].default

    @property
    def key(self) -> str:
        """Content hash. Fields that came later count only where they are set, so that earlier
        trials keep their ids.
        """
        later = {name for name in _LATER if self._is_default(name)}
        measured = tuple(_HASHED_AS.get(name, name) for name in self.consistency)
        return content_hash(
            self.model_copy(update={"consistency": measured}).canonical(without=later)
        )


class Trial(Spec):
    """One (system, conditions, seed)."""

    system: System
    conditions: Conditions
    seed: int = Field(ge=0, lt=2**32)

    @property
    def id(self) -> str:
        """Content hash: the same trial has the same id in every run and on every machine."""
        return content_hash(f"{self.system.key} {self.conditions.key} {self.seed}")
