"""One training in several processes is that of one process, up to rounding."""

import json

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


def same_as_one(folder, tmp_path, changes):
    """Check what two processes left in a folder against a training of one."""
    (tmp_path / "one").mkdir()
    net, alone = ranks.train_here(tmp_path / "one", changes)
    (weights, curve), (others, other_curve) = results(folder)
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert curve == other_curve
    assert [step for step, _ in curve] == [step for step, _ in alone.loss]
    for (_, loss), (_, expected) in zip(curve, alone.loss, strict=True):
        assert loss == pytest.approx(expected, rel=1e-6)
    alike(weights, net.state_dict())
    kept = newest_checkpoint(folder)[0]
    assert kept.sidecar.step == 12
    assert all(torch.equal(kept.tensors[f"model.{name}"], weights[name]) for name in weights)


@pytest.mark.slow
def test_two_processes_train_as_one_and_so_do_their_batch_norms(tmp_path):
    ended = together(tmp_path / "two", changes={})
    assert [code for code, _, _ in ended] == [0, 0], ended
    assert [out for _, out, _ in ended] == ["", ""]
    same_as_one(tmp_path / "two", tmp_path, {})
    y, x_gradient, gradients, state = ranks.normalise_here(4)
    shares = [torch.load(tmp_path / "two" / f"norm-{rank}.pt") for rank in range(2)]
    assert torch.allclose(torch.cat([share[0] for share in shares]), y)
    assert torch.allclose(torch.cat([share[1] for share in shares]), x_gradient)
    for _, _, found, own in shares:
        assert all(map(torch.allclose, found, gradients))
        alike(own, state, 1e-12)


@pytest.mark.slow
def test_two_processes_go_on_where_they_were_stopped_and_accumulate(tmp_path):
    changes = {"accumulate": 2}
    ended = together(tmp_path / "two", changes=changes, die_at=14, die_in=1)
    assert [code for code, _, _ in ended] == [1, -9], ended
    assert "another process of this training has ended" in ended[0][2]
    assert newest_checkpoint(tmp_path / "two")[0].sidecar.step == 5
    ended = together(tmp_path / "two", changes=changes)
    assert [code for code, _, _ in ended] == [0, 0], ended
    same_as_one(tmp_path / "two", tmp_path, changes)


def test_a_process_alone_has_no_group():
    assert current() is ALONE
    assert ALONE.leads
    assert ALONE.said(lambda: 3) == 3


@pytest.mark.parametrize(
    ("size", "accumulate", "word"),
    [(3, 1, "batch = 8 cannot be divided among 3 processes; add --set batch=9"),
     (4, 4, "4 processes, each in 4 parts; add --set batch=16")],
)  # fmt: skip
def test_a_batch_without_equal_parts_is_refused(size, accumulate, word):
    conditions = read_conditions("smoke", "street", {"batch": 8, "accumulate": accumulate})
    with pytest.raises(UsageError, match=word):
        check_group(conditions, size)
    check_group(conditions, 2)
