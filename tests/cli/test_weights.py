"""What `train`, `evaluate` and `predict` say where there is no number."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from msaf_bench.analyzers.consistency.scores import PresetScore
from msaf_bench.analyzers.evaluation import SplitScores
from msaf_bench.architectures import build
from msaf_bench.cli import main
from msaf_bench.cli.scores import print_scores
from msaf_bench.data import open_split
from msaf_bench.errors import DataError
from msaf_bench.matrices import SparseMatrices
from msaf_bench.train.checkpoint import read_checkpoint, save_checkpoint

NOTHING = SparseMatrices(3, np.zeros((2, 3, 3), np.int64))


@pytest.mark.parametrize("as_json", [True, False])
def test_a_split_that_is_all_void_has_null_with_reasons_and_is_an_error(capsys, as_json):
    undecided = PresetScore("clean", None, "no pixel has a vote")
    scores = SplitScores(("a", "b", "c"), NOTHING, NOTHING.sum(), (undecided,), "zero")
    with pytest.raises(DataError, match="no mIoU: every pixel of the truth is void"):
        print_scores(scores.document(), as_json=as_json)
    out = capsys.readouterr().out
    assert "nan" not in out.lower()
    if as_json:
        d = json.loads(out, parse_constant=pytest.fail)
        assert d["miou"] is d["past"] is d["best_constant"] is d["tc_clean"] is None
        assert d["undefined"].keys() == {"miou", "past", "best_constant", "tc_clean"}
        assert d["undefined"]["tc_clean"] == "no pixel has a vote"


def test_a_score_that_exists_is_printed_as_it_is(capsys):
    matrices = SparseMatrices(3, [np.eye(3, dtype=np.int64) * 4])
    print_scores(SplitScores(("a", "b", "c"), matrices).document(), as_json=True)
    d = json.loads(capsys.readouterr().out)
    assert (d["miou"], d["undefined"]) == (100, {})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of a tiny network."""
    folder = tmp_path_factory.mktemp("trained")
    assert (
        main(
            [
                "train",
                "pspnet18",
                "--preset",
                "smoke",
                "--set",
                "steps=2",
                "--set",
                "flow=none",
                "--reports",
                str(folder),
            ]
        )
        == 0
    )
    return next(folder.glob("checkpoints/*/*.safetensors"))


@pytest.mark.slow
def test_a_network_whose_weights_are_not_finite_predicts_nothing(checkpoint, tmp_path, capsys):
    found = read_checkpoint(checkpoint)
    net = build(found.sidecar.system, found.sidecar.num_classes)
    torch.nn.init.constant_(next(net.parameters()), float("nan"))
    broken = save_checkpoint(tmp_path / "broken", net, None, found.sidecar)
    (tmp_path / "frames").mkdir()
    Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save(tmp_path / "frames" / "f1.png")
    capsys.readouterr()
    assert (
        main(
            [
                "predict",
                str(broken),
                "--frames",
                str(tmp_path / "frames"),
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 3
    )
    assert "f1.png: the network's logits are not finite" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*.png"))


class Void:
    """A split whose truth is void."""

    def __init__(self, clips):
        self.clips = clips

    def __getattr__(self, name):
        return getattr(self.clips, name)

    def __len__(self):
        return len(self.clips)

    def __getitem__(self, index):
        clip = self.clips[index]
        return clip._replace(label=np.full_like(clip.label, 255))


@pytest.mark.slow
def test_what_a_run_keeps_of_a_split_that_is_all_void_is_json(tmp_path, monkeypatch):
    def opened(conditions, split, **more):
        clips = open_split(conditions, split, **more)
        return Void(clips) if split == "score" else clips

    monkeypatch.setattr("msaf_bench.sweep.trial.open_split", opened)
    main(
        [
            "train",
            "msaf-r18",
            "--preset",
            "smoke",
            "--set",
            "steps=2",
            "--set",
            "flow=none",
            "--reports",
            str(tmp_path),
        ]
    )
    files = list(tmp_path.rglob("*.json"))
    assert len(list(tmp_path.glob("records/*.json"))) == 1
    for path in files:
        json.loads(path.read_text(), parse_constant=pytest.fail)
