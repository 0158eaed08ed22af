"""Results of temporal consistency: scores per preset, video and pair, controls, conditions."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from msaf_bench.analyzers.consistency.folders import PredictedFrames
from msaf_bench.analyzers.consistency.presets import PRESETS, Preset
from msaf_bench.analyzers.consistency.scores import PresetScore, chains, per_video
from msaf_bench.analyzers.miou import class_iou


class VideoScore(NamedTuple):
    """Score of one video, a run of pairs without a gap."""

    first: str  #: name of its first frame
    last: str
    frames: int
    tc: float | None


class PartScore(NamedTuple):
    """Score of one pair or window."""

    first: str
    last: str
    tc: float  #: NaN for a part without a score


@dataclass(frozen=True)
class TcResult:
    """Temporal consistency under one preset."""

    score: PresetScore
    per_class: Mapping[str, float | None]  #: IoU in percent; empty for presets without matrices
    per_video: tuple[VideoScore, ...]

    @property
    def preset(self) -> Preset:
        """Definition of the preset."""
        return PRESETS[self.score.preset]

    @property
    def counted(self) -> str:
        """Kind of the averaged parts: windows or pairs."""
        return "windows" if self.preset.window else "pairs"

    @property
    def constant(self) -> bool:
        """Whether all votes of the prediction are for the same class."""
        matrices = self.score.matrices
        return matrices is not None and int((matrices.sum().sum(1) > 0).sum()) == 1

    def document(self) -> dict[str, object]:
        """Return the result for JSON, with null for missing scores."""
        score, preset = self.score, self.preset
        return {
            "preset": score.preset,
            "tc": score.value,
            "unit": preset.unit,
            "better": preset.better,
            "legacy": preset.legacy,
            "about": preset.about,
            "reason": score.reason,
            "pairs": score.pairs,
            "counted": self.counted,
            "agreement": score.agreement,
            "votes": score.votes,
            "controls": dict(score.controls),
            "per_class": dict(self.per_class),
            "per_video": [video._asdict() for video in self.per_video],
            "constant": self.constant,
        }


@dataclass(frozen=True)
class TcConditions:
    """Conditions of the scores."""

    flow: str  #: as requested; "none" if no preset needs flow
    flow_made_by: str
    occlusion: str
    frames: PredictedFrames
    flat: frozenset[int]  #: indices of frames without texture

    @property
    def numbering(self) -> dict[str, object]:
        """Numbering of the frames: `kind`, `patterns`, `videos`, and the first names `read`."""
        return dict(self.frames.neighbours.describe(self.frames.keys))

    @property
    def notes(self) -> list[str]:
        """Notes about frames and flow, one line each."""
        return [*self.frames.notes(), *self._low_confidence()]

    def document(self) -> dict[str, object]:
        """Return the conditions for JSON."""
        frames = self.frames
        return {
            "flow": self.flow,
            "flow_made_by": self.flow_made_by,
            "occlusion": self.occlusion,
            "classes": frames.classes.name,
            "data": frames.data or None,
            "frames": len(frames.keys),
            "gaps": len(frames.neighbours.gaps),
            "steps": list(frames.neighbours.steps),
            "numbering": self.numbering,
            "ignored": [ignored._asdict() for ignored in frames.ignored],
            "partial": frames.partial,
            "incomplete": frames.incomplete or None,
            "bad": list(frames.unpredicted),
            "notes": self.notes,
            "map": list(frames.maps),
        }

    def _low_confidence(self) -> Iterator[str]:
        if self.flat:
            yield (
                f"low confidence: {len(self.flat)} frames have no texture, such as"
                f" {self.frames.keys[min(self.flat)]}; flow estimated there is meaningless"
            )


@dataclass(frozen=True)
class TcScore:
    """Temporal consistency under each preset, with the shared conditions."""

    results: tuple[TcResult, ...]
    conditions: TcConditions

    @property
    def tc(self) -> float | None:
        """Score under the first preset; if None, `reason` says why."""
        return self.results[0].score.value

    @property
    def reason(self) -> str:
        """Why no preset has a score; empty if at least one has."""
        if any(result.score.value is not None for result in self.results):
            return ""
        return "; ".join(f"{each.score.preset}: {each.score.reason}" for each in self.results)

    @property
    def partial(self) -> bool:
        """Whether some frames have no prediction or are missing from the data set."""
        return self.conditions.frames.partial

    def document(self) -> dict[str, object]:
        """Return the output of `score tc --json`: the first preset, and all under `results`."""
        conditions = self.conditions.document()
        documents = [result.document() | conditions for result in self.results]
        return documents[0] | {"results": documents}

    def parts(self, result: TcResult) -> list[PartScore]:
        """Return the scores of the pairs or windows of a result, in order."""
        score, preset, frames = result.score, result.preset, self.conditions.frames
        # vc8 and vc16 drop the last window of each video
        reach, lost = (preset.window - 1, 1) if preset.window else (1, 0)
        spans = [
            span
            for video in chains(frames.neighbours.pairs)
            for span in zip(video, video[reach : len(video) - lost], strict=False)
        ]
        values = score.parts if score.matrices is None else map(preset.mean, score.matrices)
        return [
            PartScore(frames.keys[first], frames.keys[last], value)
            for (first, last), value in zip(spans, values, strict=True)
        ]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(each.score.preset)}</td><td>{_cell(each.score.value)}</td>"
            f"<td>{escape(each.preset.unit)}, {each.preset.better} is better</td>"
            f"<td>{each.score.pairs} {each.counted}</td></tr>"
            for each in self.results
        )
        return (
            f"<table><caption>Temporal consistency, flow {escape(self.conditions.flow)}</caption>"
            f"<tr><th>preset</th><th>TC</th><th>unit</th><th>scored</th></tr>{rows}</table>"
        )


def result_of(score: PresetScore, frames: PredictedFrames) -> TcResult:
    """Return the score of a preset with class names and video names."""
    names, videos = frames.classes.names, chains(frames.neighbours.pairs)
    own = per_video(score, videos) if score.pairs else [None] * len(videos)
    iou: list[float] = []
    if score.matrices is not None:
        iou = class_iou(score.matrices.sum()).tolist()
    return TcResult(
        score,
        {name: None if math.isnan(each) else each for name, each in zip(names, iou, strict=False)},
        tuple(
            VideoScore(frames.keys[video[0]], frames.keys[video[-1]], len(video), value)
            for video, value in zip(videos, own, strict=True)
        ),
    )


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
