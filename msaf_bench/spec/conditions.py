"""Conditions of a comparison, and the trials run under them. No torch here."""

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
# Fields added later enter a key only if they are set, so that earlier trials keep their ids.
#: options of the computation of a step; reports show only those that differ from the default
_STEP = ("accumulate", "channels_last", "compile", "checkpoint_activations", "ema", "deterministic")
_LATER = (
    *("scored", "past", "draws", "rates", "start", "described", "validate_every", "keep"),
    *_STEP,
)
#: conditions that a row of a table may change: training only, never the data or the measurement
OF_A_ROW = (
    *("steps", "batch", "accumulate", "lr", "backbone_rate", "warmup", "power", "weight_decay"),
    *("rates", "crop", "scale", "flip", "draws", "precision", "ema"),
)
# in earlier ids, the older measure has the name `etc2020`
_HASHED_AS = {"etc2020": "etc2020-nvidia", "etc2020-thc": "etc2020"}


class Conditions(Spec):
    """Everything that must agree before two numbers may be compared.

    A preset is a set of conditions, stored as data (`ablations/presets`).
    """

    preset: str
    data: str
    #: description of the data set, if it comes from the user's own file
    described: DataSet | None = None
    size: tuple[Side, Side]  #: H, W; every frame is resized to it
    #: H, W of the random crop in training; None: no crop
    crop: tuple[Side, Side] | None = None
    frames: Few = Field(3, ge=1)  #: T, frames per clip; the newest one is segmented
    train_spacing: Few = Field(ge=0)  #: source frames between two frames of a training clip
    score_spacing: Few = Field(ge=0)  #: source frames between two frames of a scored clip
    steps: Count = Field(ge=1)
    batch: Few = Field(ge=1)
    lr: Rate = Field(gt=0)
    backbone_rate: Rate = Field(1.0, ge=0)  #: learning rate of the backbone relative to `lr`
    warmup: Count = Field(0, ge=0)  #: steps of linear warm-up
    power: Rate = Field(0.9, ge=0)  #: exponent of the poly decay
    weight_decay: Rate = Field(0.01, ge=0)
    scale: tuple[float, float] = (1.0, 1.0)  #: range of the random resize
    flip: Flag = True
    #: steps of the shared pre-training of the backbone; 0: none
    pretrain_steps: Count = Field(0, ge=0)
    pretrain_lr: Rate = Field(0, ge=0)  #: peak learning rate of the pre-training; 0: `lr`
    checkpoint_every: Count = Field(0, ge=0)  #: steps between checkpoints; 0: only at the end
    #: steps between validations on a held-out part of the training split; 0: none, nothing held out
    validate_every: Count = Field(0, ge=0)
    #: weights to keep and score: those of the last step, or of the highest validation mIoU
    keep: Literal["last", "best"] = "last"
    #: precision of matrix products and convolutions in training: fp32, TF32, or autocast
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = "fp32"
    #: number of sequential parts of a batch; batch norm sees one part at a time
    accumulate: Few = Field(1, ge=1)
    channels_last: Flag = False  #: use the channels-last memory layout
    compile: Flag = False  #: run the network through `torch.compile` in training
    #: keep few activations in the forward pass and recompute the others in the backward pass
    checkpoint_activations: Flag = False
    #: decay per step of the moving average of the weights, which is then scored; 0: no average
    ema: Rate = Field(0, ge=0, lt=1)
    deterministic: Flag = False  #: request deterministic kernels if alternatives exist
    #: stand-ins for small machines: by slot, or by the name of a component or an architecture
    shrink: Slots = ()
    shrink_options: Options = ()
    #: name of a system, or of a backbone as run -> file of starting weights, by its content
    start: Options = ()
    data_options: Options = ()
    void: Literal["ignore"] = "ignore"  #: unlabelled pixels of the ground truth are not scored
    #: split to score. tune: a quarter of the training split, held out of training; validate: the
    #: validation part of the training split
    scored: Literal["score", "tune", "validate"] = "score"
    past: Past = "real"  #: past frames of a clip or their replacement, in training and scoring
    #: augmented versions per clip, repeated in training; 0: a new one in every step
    draws: Few = Field(0, ge=0)
    #: factor of the learning rate of a part, by a component of its weights' names, such as
    #: `offset` or `flow`
    rates: Numbers = ()
    #: rule for missing past frames: repeat the oldest one, skip the clip, or stop with an error
    history: Literal["repeat", "skip", "error"] = "repeat"
    #: optical flow for temporal consistency; none: not measured
    flow: Literal["none", "exact", "dis", "farneback", "zero"] = "none"
    consistency: tuple[str, ...] = ("clean",)  #: presets of temporal consistency
    watermark: str = ""  #: printed over results that must not be taken as findings

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
                f"accumulate: {self.accumulate} does not divide a batch of {self.batch}; give a"
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
            raise ValueError(
                f"scale: [{low:g}, {high:g}] is not a range above 0; write [low, high]"
            )
        return self

    @model_validator(mode="after")
    def _rates_above_zero(self) -> Self:
        for part, rate in self.rates:
            if not 0 < rate < float("inf"):
                raise ValueError(f"rates.{part}: {rate:g} is not a rate above 0")
        return self

    @model_validator(mode="after")
    def _starts_by_content(self) -> Self:
        for name, file in self.start:
            start = start_of(OPTION, file)
            if start is None or not start.sha256:
                raise ValueError(
                    f"start.{name}: {file!r:.80} is not a file by its content; use --start"
                )
        return self

    def document(self) -> dict[str, object]:
        """Return the conditions for reports.

        Options of validation are shown only with validation, and the description of the data set
        only if it comes from the user's own file. Options of the computation of a step are shown
        only if they differ from the default.
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
        """Content hash.

        Fields added later enter it only if they are set, so that earlier trials keep their ids.
        """
        later = {name for name in _LATER if self._is_default(name)}
        measured = tuple(_HASHED_AS.get(name, name) for name in self.consistency)
        return content_hash(
            self.model_copy(update={"consistency": measured}).canonical(without=later)
        )


class Trial(Spec):
    """System, conditions and seed."""

    system: System
    conditions: Conditions
    seed: int = Field(ge=0, lt=2**32)

    @property
    def id(self) -> str:
        """Content hash: the same trial has the same id in every run and on every machine."""
        return content_hash(f"{self.system.key} {self.conditions.key} {self.seed}")
