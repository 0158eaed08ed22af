"""One training in several processes is that of one process, up to rounding."""

import json
import time

import pytest
import ranks
import torch

from msaf_bench.catalog import read_conditions
from msaf_bench.errors import UsageError
from msaf_bench.train.checkpoint import newest_checkpoint
from msaf_bench.train.parallel import ALONE, check_group, current


def together(folder, size=2, **options):
    folder.mkdir(exist_ok=True)
    processes = ranks.start([ranks.__file__, folder, json.dumps(options)], size)
    return ranks.ended(processes)


def results(folder, size=2):
    return [torch.load(folder / f"result-{rank}.pt") for rank in range(size)]


def alike(one, other, tolerance=1e-6):
    assert one.keys() == other.keys()
    for name, weights in one.items():
        assert torch.allclose(weights.float(), other[name].float(), atol=tolerance), name


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path):
    (tmp_path / "one").mkdir()
    net, alone = ranks.train_here(tmp_path / "one", {})
    ended = together(tmp_path / "two", changes={})
    assert [code for code, _, _ in ended] == [0, 0], ended
    (weights, curve), (others, other_curve) = results(tmp_path / "two")
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert curve == other_curve
    assert [step for step, _ in curve] == [step for step, _ in alone.loss]
    for (_, loss), (_, expected) in zip(curve, alone.loss, strict=True):
        assert loss == pytest.approx(expected, rel=1e-6)
    alike(weights, net.state_dict())
    kept = newest_checkpoint(tmp_path / "two")[0]
    assert kept.sidecar.step == 12
    assert all(torch.equal(kept.tensors[f"model.{name}"], weights[name]) for name in weights)


def test_a_process_alone_has_no_group():
    assert current() is ALONE
    assert ALONE.leads
    assert ALONE.said(lambda: 3) == 3


@pytest.mark.parametrize(
    ("size", "accumulate", "word"),
    [(3, 1, "batch = 8 has no equal parts for 3 processes; add --set batch=9"),
     (4, 4, "4 processes, each in 4 parts; add --set batch=16")],
)  # fmt: skip
def test_a_batch_without_equal_parts_is_refused(size, accumulate, word):
    conditions = read_conditions("smoke", "street", {"batch": 8, "accumulate": accumulate})
    with pytest.raises(UsageError, match=word):
        check_group(conditions, size)
    check_group(conditions, 2)
