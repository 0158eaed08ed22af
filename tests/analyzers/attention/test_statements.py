"""The verdicts on section 3.3 follow from the formulas: change a formula, and its verdict turns."""

import pytest

from msaf_bench.analyzers.attention import statements as attention_statements
from msaf_bench.analyzers.attention.complexity import Relations, pairs, relations
from msaf_bench.analyzers.attention.statements import degree, statements


def verdicts() -> dict[str, bool]:
    return {claim.statement: claim.holds for claim in statements()}


def test_verdicts() -> None:
    assert verdicts() == {
        "n = C x H x W is the number of pixels": False,
        "joint attention costs 3n^3": False,
        "a deformable convolution costs K^2 n = 9n": False,
        "2 3n + 2 9n = 24n, in all 3n^2 + 24n": True,
        "Eq. 1 exceeds Eq. 8 from n = (1 + sqrt 33)/2 on": True,
        "the difference increases monotonously": True,
        "the difference increases linearly": False,
        "the limit of Eq. 1 / Eq. 8 is n": False,
    }


def test_findings_carry_the_computed_numbers() -> None:
    found = {claim.statement: claim.finding for claim in statements()}
    assert "-18 at n = 3, 48 at n = 4" in found["Eq. 1 exceeds Eq. 8 from n = (1 + sqrt 33)/2 on"]
    assert "power 3" in found["the difference increases linearly"]
    assert "only at n = 3" in found["joint attention costs 3n^3"]
    assert all(len(claim.finding) < 160 for claim in statements())


@pytest.mark.parametrize(
    ("other", "turned"),
    [
        (lambda n: relations(n)._replace(transformer=9 * n**2), {"joint attention costs 3n^3"}),
        (
            lambda n: Relations(40 * n, 0, 24 * n),
            {
                "the difference increases linearly",
                "Eq. 1 exceeds Eq. 8 from n = (1 + sqrt 33)/2 on",
            },
        ),
        (lambda n: relations(n)._replace(transformer=1), {"the difference increases monotonously"}),
        (lambda n: relations(n)._replace(att=25 * n), {"2 3n + 2 9n = 24n, in all 3n^2 + 24n"}),
    ],
)
def test_another_formula_turns_its_verdict(other, turned, monkeypatch: pytest.MonkeyPatch) -> None:
    before = verdicts()
    monkeypatch.setattr(attention_statements, "relations", other)
    assert turned <= {
        statement for statement, holds in verdicts().items() if holds != before[statement]
    }


def test_degree() -> None:
    assert [degree(lambda n, k=k: 5 * n**k - n + 2, range(1, 30)) for k in (0, 2, 3)] == [1, 2, 3]
    assert degree(lambda _: 4, range(3)) == 0


@pytest.mark.parametrize("n", [1, 2, 7])
def test_pairs_counted_one_by_one(n: int) -> None:
    tokens = [(frame, pixel) for frame in range(3) for pixel in range(n)]
    every = [(a, b) for a in tokens for b in tokens]
    assert pairs(n).transformer == len(every)
    assert pairs(n).pst == sum(a[0] == b[0] for a, b in every)
    assert pairs(n).att == sum(a[1] == b[1] for a, b in every)
    assert float(pairs(n).ratio) == pytest.approx(3 * n / (n + 3))
