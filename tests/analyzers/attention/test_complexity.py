"""The paper's formulas and the exact counts, against numbers worked out by hand."""

from fractions import Fraction

import pytest

from msaf_bench.analyzers.attention.complexity import (
    CROSSOVER,
    Grid,
    cost_at,
    d_transformer_macs,
    relations,
    transformer_macs,
)


def test_relations_of_a_769_crop_at_stride_8() -> None:
    paper = relations(97 * 97)
    assert paper.transformer == 2_498_916_014_787
    assert paper.d_transformer == 265_813_659
    assert paper.ratio == Fraction(9409**2, 9417)
    assert float(paper.ratio) == pytest.approx(9401.0068, abs=5e-5)


def test_equation_1_overtakes_equation_8_at_the_crossover() -> None:
    assert abs(CROSSOVER**2 - CROSSOVER - 8) < 1e-14
    assert (relations(3).transformer, relations(3).d_transformer) == (81, 99)
    assert (relations(4).transformer, relations(4).d_transformer) == (192, 144)


@pytest.mark.parametrize("n", [1, 10, 9409, 10**20])
def test_difference_is_cubic_and_ratio_over_n_tends_to_1(n: int) -> None:
    paper = relations(n)
    assert paper.transformer - paper.d_transformer == 3 * n * (n * n - n - 8)
    assert paper.ratio == n - 8 + Fraction(64, n + 8)


def test_terms_of_a_2x2_map_of_width_1_by_hand() -> None:
    assert transformer_macs(Grid(2, 2), 1) == {
        "attention": 2 * 12 * 12,
        "projections": 4 * 12,
        "mlp": 8 * 12,
    }
    # Down-sampled maps of 1, 1 and 4 tokens; 9 taps; 18 offsets a pixel; 4 pixels with 3 x 3 pairs.
    assert d_transformer_macs(Grid(2, 2), 1) == {
        "pst_attention": 2 * (1 + 1 + 16),
        "pst_projections": 4 * 6,
        "pst_mlp": 8 * 6,
        "dcn": 2 * 9 * 4,
        "dcn_offset": 2 * 9 * 4 * 18,
        "att_attention": 2 * 4 * 9,
        "att_projections": 4 * 12,
        "att_mlp": 8 * 12,
    }


# GMAC: joint core, projections, MLP; PST core; temporal core; DCNs, main and offset. 97x97 is not
# divisible, and its last cells count.
TABLE = {
    (Grid(97, 97), 512): (815.9, 29.6, 59.2, 96.96, 0.087, 44.4, 1.6),
    (Grid(128, 256), 512): (9895.6, 103.1, 206.2, 1172.5, 0.302, 154.6, 5.4),
    (Grid(97, 97), 2048): (3263.5, 473.6, 947.1, 387.8, 0.347, 710.4, 6.2),
}


@pytest.mark.parametrize(("grid", "width"), TABLE)
def test_terms_agree_with_an_independent_count(grid: Grid, width: int) -> None:
    joint, parts = transformer_macs(grid, width), d_transformer_macs(grid, width)
    terms = (
        *joint.values(),
        parts["pst_attention"],
        parts["att_attention"],
        parts["dcn"],
        parts["dcn_offset"],
    )
    for macs, printed in zip(terms, TABLE[grid, width], strict=True):
        digits = len(str(printed).partition(".")[2])
        assert round(macs / 1e9, digits) == printed


def test_whole_block_ratio_where_the_map_divides() -> None:
    assert round(cost_at(Grid(128, 256), 512).exact_ratio, 2) == 5.74


def test_sizes_beyond_any_tensor() -> None:
    side = 10**18 - 1
    document = cost_at(Grid(side, side), 10**18 - 1).document()
    assert document["n"] == side**2
    assert document["paper"]["transformer"] == 3 * side**6
    assert document["paper"]["ratio"] == pytest.approx(float(side**2))


def test_partial_cells_count() -> None:
    assert Grid(97, 97).reduced(4) == Grid(25, 25)
    assert Grid(1, 5).reduced(2) == Grid(1, 3)
