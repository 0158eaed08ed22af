"""What is measured of a network beside its mIoU, on the street, whose motion is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from msaf_bench.analyzers.miou import miou
from msaf_bench.catalog import read_conditions, read_table, systems_of
from msaf_bench.data import open_split
from msaf_bench.data.transforms import normalise
from msaf_bench.errors import GateError
from msaf_bench.spec import Conditions
from msaf_bench.sweep import evaluation as measure_module
from msaf_bench.sweep.evaluation import cost_of, measure

CONDITIONS = read_conditions("smoke", "street", {"flow": "exact", "consistency": ("clean", "vc8")})


class Oracle:
    """Answers with the truth, which it finds by the newest frame; with class 0 where the past is
    only that frame again.
    """

    training_only = ()
    deciding = ()

    def __init__(self, clips, frames=3):
        self.frames = frames
        self.known = [
            (normalise(clip.frames[-1:].copy())[0], clip.label)
            for clip in (clips[i] for i in range(len(clips)))
        ]

    def eval(self):
        return self

    def parts(self):
        return {}

    def __call__(self, batch):
        logits = []
        for clip in batch:
            label = next(
                torch.from_numpy(label.astype(np.int64))
                for frame, label in self.known
                if torch.equal(frame, clip[-1])
            )
            if self.frames > 1 and torch.equal(clip[0], clip[-1]):
                label = torch.zeros_like(label)
            logits.append(
                torch.nn.functional.one_hot(label.clamp(max=10), 11).permute(2, 0, 1).float()
            )
        return SimpleNamespace(logits=torch.stack(logits))


@pytest.fixture(scope="module")
def clips():
    return open_split(CONDITIONS, "score")


@pytest.mark.slow
def test_the_truth_is_perfectly_consistent_and_the_past_is_worth_what_it_gives(clips, tmp_path):
    found = measure(Oracle(clips), clips, CONDITIONS, "cpu", tmp_path)
    assert miou(found.confusion.sum()) == 100
    assert found.still is not None
    assert miou(found.still.sum()) < 10
    clean, vc8 = found.consistency
    assert (clean.preset, clean.flow, clean.value, clean.pairs) == (
        "clean",
        "exact",
        100.0,
        len(clips.pairs),
    )
    assert clean.matrices is not None
    assert clean.matrices.images == len(clips.pairs)
    assert dict(clean.controls)["truth"] == 100
    assert vc8.value is None
    assert "8 frames" in vc8.reason
    assert len(found.samples) == 4


def test_a_network_of_one_frame_has_no_past_to_lose(clips, tmp_path):
    assert measure(Oracle(clips, frames=1), clips, CONDITIONS, "cpu", tmp_path).still is None


def test_without_flow_there_is_no_consistency(clips, tmp_path):
    silent = CONDITIONS.model_copy(update={"flow": "none"})
    assert measure(Oracle(clips), clips, silent, "cpu", tmp_path).consistency == ()


@pytest.mark.slow
def test_the_cost_is_that_of_the_network_at_the_size_of_the_conditions():
    systems = systems_of(read_table("3"), CONDITIONS)
    cost = cost_of(systems["MSAF"], 11, CONDITIONS, ())
    clip, stream = (sum(macs for _, macs in part) for part in (cost.clip, cost.stream))
    assert 0 < stream < clip
    # of three frames two are kept
    assert dict(cost.clip)["backbone"] == 3 * dict(cost.stream)["backbone"]
    larger = Conditions.model_validate(CONDITIONS.model_dump() | {"size": (64, 128)})
    assert (
        dict(cost_of(systems["MSAF"], 11, larger, ()).clip)["backbone"]
        == 4 * dict(cost.clip)["backbone"]
    )


def test_a_network_that_cannot_be_counted_keeps_its_score(monkeypatch):
    def blind(*args, **options):
        raise GateError("motion: reads values")

    heard = []
    monkeypatch.setattr(measure_module, "system_cost", blind)
    system = systems_of(read_table("3"), CONDITIONS)["MSAF"]
    assert cost_of(system, 7, CONDITIONS, (), heard.append) is None
    assert heard == ["cost is not counted: motion: reads values"]
