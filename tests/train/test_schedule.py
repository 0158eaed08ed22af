from collections import Counter

import pytest

from msaf_bench.catalog import read_conditions
from msaf_bench.train.schedule import augmentation_rng, batch_indices, learning_rate

PAPER = read_conditions("paper", "camvid")


def test_the_papers_schedule():
    """Section 4.1: 6e-5, 1,500 steps of linear warm-up, poly over 80,000."""
    assert (PAPER.lr, PAPER.warmup, PAPER.steps) == (6e-5, 1500, 80_000)
    assert learning_rate(0, PAPER) == pytest.approx(6e-5 / 1500)
    assert learning_rate(40_000, PAPER) == pytest.approx(6e-5 * 0.5**0.9)
    rates = [learning_rate(s, PAPER) for s in range(0, 80_000, 500)]
    assert max(rates) == learning_rate(1500, PAPER)
    assert 0 < learning_rate(79_999, PAPER) < 1e-8


def test_each_epoch_reads_every_clip_once():
    read = [i for step in range(6) for i in batch_indices(step, 4, 12, seed=5)]
    assert Counter(read[:12]) == Counter(range(12)) == Counter(read[12:])
    assert read[:12] != read[12:]


def test_an_epoch_may_end_inside_a_batch():
    read = [i for step in range(5) for i in batch_indices(step, 3, 5, seed=0)]
    assert all(Counter(read[k : k + 5]) == Counter(range(5)) for k in (0, 5, 10))


def test_what_a_step_reads_depends_on_seed_and_step_alone():
    assert batch_indices(7, 4, 100, 1) == batch_indices(7, 4, 100, 1) != batch_indices(7, 4, 100, 2)
    draws = {
        tuple(augmentation_rng(step, seed).random(3)) for step in range(3) for seed in range(3)
    }
    assert len(draws) == 9
