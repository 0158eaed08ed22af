"""Training from a frozen backbone's features is training from the frames."""

import numpy as np
import pytest
import torch

from msaf_bench import build
from msaf_bench.analyzers.scoring import reader, score
from msaf_bench.catalog import read_conditions, read_table, systems_of
from msaf_bench.data import open_split
from msaf_bench.train import features as module
from msaf_bench.train.features import cached_reader, features_of
from msaf_bench.train.loop import train

CONDITIONS = read_conditions(
    "smoke", "street", {"steps": 12, "backbone_rate": 0, "draws": 2, "scale": (0.75, 1.5)}
)
SYSTEMS = systems_of(read_table("3"), CONDITIONS)
LEARN, TEST = (open_split(CONDITIONS, split) for split in ("train", "score"))


def made(label, seed=0):
    torch.manual_seed(seed)
    net = build(SYSTEMS[label], 11)
    for module_ in net.backbone.modules():  # statistics that training would have left
        if isinstance(module_, torch.nn.BatchNorm2d):
            module_.running_mean.normal_(0, 0.1)
    return net


@pytest.mark.slow
@pytest.mark.parametrize("label", ["MSAF", "Baseline", "Motion only"])
def test_kept_features_give_the_weights_that_frames_give(tmp_path, label):
    plain, kept = made(label), made(label)
    features = features_of(kept, LEARN, CONDITIONS, "train", tmp_path / "features", "cpu")
    assert features is not None
    curves = [
        train(
            net, LEARN, CONDITIONS, 0, system=SYSTEMS[label], folder=tmp_path / name, features=held
        ).loss
        for net, name, held in ((plain, "a", None), (kept, "b", features))
    ]
    for (_, one), (_, other) in zip(*curves, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    start = made(label).backbone.state_dict()
    assert all(
        torch.equal(tensor, start[name]) for name, tensor in plain.backbone.state_dict().items()
    )


@pytest.mark.slow
def test_scores_from_features_are_those_from_frames(tmp_path):
    net = made("MSAF").eval()
    features = features_of(net, TEST, CONDITIONS, "score", tmp_path, "cpu")
    readers = reader(net, TEST), cached_reader(net, features, TEST, (32, 64), "cpu", 2)
    for still in (False, True):
        one, other = (score(net, TEST, still=still, read=read) for read in readers)
        moved = [(a != b).mean() for a, b in zip(one, other, strict=True)]
        assert np.mean(moved) < 0.02  # logits that tie up to rounding


@pytest.mark.slow
def test_a_split_is_computed_once(tmp_path, monkeypatch):
    net = made("MSAF")
    first = features_of(net, TEST, CONDITIONS, "score", tmp_path, "cpu")
    monkeypatch.setattr(module, "_computed", None)
    assert torch.equal(
        features_of(net, TEST, CONDITIONS, "score", tmp_path, "cpu").fields[2], first.fields[2]
    )


@pytest.mark.slow
def test_other_weights_and_another_past_are_other_features(tmp_path):
    features_of(made("MSAF"), TEST, CONDITIONS, "score", tmp_path, "cpu")
    features_of(made("MSAF", seed=1), TEST, CONDITIONS, "score", tmp_path, "cpu")
    strange = CONDITIONS.model_copy(update={"past": "strangers"})
    features_of(made("MSAF"), open_split(strange, "score"), strange, "score", tmp_path, "cpu")
    assert len(list(tmp_path.glob("*.safetensors"))) == 3


@pytest.mark.parametrize("changes", [{"backbone_rate": 0.1}, {"draws": 0}])
def test_features_that_change_in_training_are_not_kept(tmp_path, changes):
    assert (
        features_of(
            made("MSAF"), LEARN, CONDITIONS.model_copy(update=changes), "train", tmp_path, "cpu"
        )
        is None
    )


def test_features_that_are_too_large_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST", 1000)
    assert features_of(made("MSAF"), LEARN, CONDITIONS, "train", tmp_path, "cpu") is None


@pytest.mark.slow
def test_damaged_features_are_made_again(tmp_path):
    net = made("MSAF")
    whole = features_of(net, TEST, CONDITIONS, "score", tmp_path, "cpu")
    (path,) = tmp_path.glob("*.safetensors")
    content = path.read_bytes()
    for place in (0, 20, len(content) // 2, len(content) - 1):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        found = features_of(net, TEST, CONDITIONS, "score", tmp_path, "cpu")
        assert all(
            torch.equal(one, other) for one, other in zip(found.fields, whole.fields, strict=True)
        )
        assert path.read_bytes() == content
    path.write_bytes(content[:100])
    assert torch.equal(
        features_of(net, TEST, CONDITIONS, "score", tmp_path, "cpu").fields[0], whole.fields[0]
    )
