"""Effects of a design whose effects are known because the values were made from them."""

from itertools import permutations, product

import numpy as np
import pytest

from msaf_bench.stats import effects, shapley

TICKS = list(product((False, True), repeat=3))


def test_effects_are_found_again():
    def value(a: bool, b: bool, c: bool, seed: int) -> float:
        return 60 + seed + 3 * a + 1 * b - 0.5 * c + 2 * (a and b)

    rows = [{seed: value(*tick, seed) for seed in range(4)} for tick in TICKS]
    found = {
        effect.factors: effect.interval.mean for effect in effects(["A", "B", "C"], TICKS, rows)
    }
    # a·b adds 2 only where both are on: half of it to each main effect, half as their interaction
    expected = {
        ("A",): 4,
        ("B",): 2,
        ("C",): -0.5,
        ("A", "B"): 1,
        ("A", "C"): 0,
        ("B", "C"): 0,
        ("A", "B", "C"): 0,
    }
    assert found == pytest.approx(expected, abs=1e-9)
    assert list(found) == list(expected)


def test_shapley_values_are_gains_over_all_orders():
    rng = np.random.default_rng(0)
    rows = [dict(enumerate(rng.normal(70, 1, 4).tolist())) for _ in TICKS]
    at = dict(zip(TICKS, rows, strict=True))
    for i, share in enumerate(shapley(["A", "B", "C"], TICKS, rows)):
        gains = []
        for order in permutations(range(3)):
            before = [j in order[: order.index(i)] for j in range(3)]
            after = tuple(j == i or on for j, on in enumerate(before))
            gains.append(np.mean([at[after][seed] - at[tuple(before)][seed] for seed in range(4)]))
        assert share.interval.mean == pytest.approx(np.mean(gains))
    total = sum(share.interval.mean for share in shapley(["A", "B", "C"], TICKS, rows))
    whole, empty = at[True, True, True], at[False, False, False]
    assert total == pytest.approx(np.mean([whole[seed] - empty[seed] for seed in range(4)]))
    assert shapley(["A", "B", "C"], TICKS[:-1], rows[:-1]) == ()


def test_interval_is_over_seeds():
    rows = [{0: 0.0, 1: 0.0}, {0: 1.0, 1: 3.0, 2: 9.0}]
    (only,) = effects(["A"], [(False,), (True,)], rows)
    assert (only.interval.mean, only.interval.n, only.interval.sd) == (2, 2, pytest.approx(2**0.5))


@pytest.mark.parametrize(
    ("ticks", "rows"),
    [
        (TICKS[:-1], [{0: 1.0}] * 7),
        ([*TICKS, TICKS[0]], [{0: 1.0}] * 9),
        ([*TICKS[:-1], TICKS[0]], [{0: 1.0}] * 8),
        (TICKS, [{0: 1.0}] * 7 + [{1: 1.0}]),
        (TICKS, [{0: 1.0}] * 7 + [{}]),
        ([], []),
    ],
)
def test_empty_unless_the_design_is_complete(
    ticks: list[tuple[bool, ...]], rows: list[dict[int, float]]
):
    assert effects(["A", "B", "C"], ticks, rows) == ()
