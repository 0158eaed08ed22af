import pytest

from msaf_bench.stats.growth import exponent


def test_exponent() -> None:
    sizes = [10, 100, 1000]
    assert exponent(sizes, [3 * n**3 for n in sizes]) == pytest.approx(3)
    assert exponent([10**36, 10**37], [10**72, 10**74]) == pytest.approx(2)
    assert exponent([10, 10], [1, 2]) is None
    assert exponent([], []) is None
