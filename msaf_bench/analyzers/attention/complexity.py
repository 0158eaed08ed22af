"""Cost of attention over three frames: the paper's formulas, token pairs, exact MACs by term.

Shapes: n = H W pixels per frame, d channels. This module does not import torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import NamedTuple

TRANSFORMERS = ("transformer", "d_transformer")  #: joint, decoupled
FRAMES = 3
HEADS = 8  #: attention heads of the counted and timed networks; MACs do not depend on it
PYRAMID = (4, 2, 1)  #: down-sampling per axis of frames t-2, t-1, t (section 3.3)
MLP_RATIO = 4
TAPS = 9  #: sampling points of a deformable convolution, K x K with K = 3 (Eq. 5)
CROSSOVER = (1 + sqrt(33)) / 2  #: positive root of n² - n - 8; above it Eq. 1 exceeds Eq. 8

#: Operations left out of the exact counts on purpose. Each costs a few operations per element;
#: none multiplies matrices.
UNCOUNTED = (
    "softmax",
    "LayerNorm",
    "GELU",
    "biases and residual sums",
    "down- and up-sampling",
    "bilinear reads of the DCN",
)


class Grid(NamedTuple):
    """Rows and columns of a feature map."""

    h: int
    w: int

    def __str__(self) -> str:
        return f"{self.h}x{self.w}"

    @property
    def pixels(self) -> int:
        """Number of pixels, n in the paper."""
        return self.h * self.w

    def reduced(self, rate: int) -> "Grid":
        """Return the grid after down-sampling by `rate` per axis, rounded up."""
        return Grid(-(-self.h // rate), -(-self.w // rate))


class Relations(NamedTuple):
    """Cost of both transformers in pairs of pixels or tokens, not in MACs."""

    transformer: int  #: joint attention
    pst: int  #: pairs of pixels within a frame
    att: int  #: pairs of frames at a pixel

    @property
    def d_transformer(self) -> int:
        """Cost of the decoupled transformer: PST plus ATT."""
        return self.pst + self.att

    @property
    def ratio(self) -> Fraction:
        """Cost of the joint transformer divided by that of the decoupled one."""
        return Fraction(self.transformer, self.d_transformer)


def relations(n: int) -> Relations:
    """Return the paper's cost for n pixels as printed (Eqs. 1, 4, 7): 3n³, 3n², 2·3n + 2·9n.

    The ratio is n² / (n + 8).
    """
    return Relations(transformer=3 * n**3, pst=3 * n**2, att=2 * 3 * n + 2 * 9 * n)


def pairs(n: int) -> Relations:
    """Return the number of token pairs without down-sampling: 9n² joint, 3n² and 9n decoupled.

    The ratio is 3n / (n + 3), below 3 for any n.
    """
    return Relations(transformer=(FRAMES * n) ** 2, pst=FRAMES * n**2, att=FRAMES**2 * n)


def block_macs(queries: int, keys: int, d: int) -> dict[str, int]:
    """Return the MACs of one transformer block by term (Eq. 3).

    The terms are QKᵀ and AV with `keys` tokens per query, four projections, two MLP layers.
    """
    return {
        "attention": 2 * queries * keys * d,
        "projections": 4 * queries * d**2,
        "mlp": 2 * MLP_RATIO * queries * d**2,
    }


def transformer_macs(grid: Grid, d: int) -> dict[str, int]:
    """Return the MACs of one joint block by term: all 3n tokens attend to all 3n tokens."""
    tokens = FRAMES * grid.pixels
    return block_macs(tokens, tokens, d)


def d_transformer_macs(grid: Grid, d: int) -> dict[str, int]:
    """Return the MACs of the decoupled transformer by term.

    PST is one block per frame on the down-sampled map (Eq. 2), alignment is two DCNs (Eq. 5), and
    ATT is 3 x 3 tokens at each pixel (Eq. 6).
    """
    n = grid.pixels
    maps = [grid.reduced(rate).pixels for rate in PYRAMID]
    frames = [block_macs(m, m, d) for m in maps]
    pst = {f"pst_{term}": sum(frame[term] for frame in frames) for term in frames[0]}
    aligned = FRAMES - 1
    dcn = {"dcn": aligned * TAPS * n * d**2, "dcn_offset": aligned * TAPS * n * d * 2 * TAPS}
    att = {f"att_{term}": macs for term, macs in block_macs(FRAMES * n, FRAMES, d).items()}
    return pst | dcn | att


@dataclass(frozen=True)
class AttentionCost:
    """Cost of both transformers at one grid and width."""

    grid: Grid
    width: int
    paper: Relations
    pairs: Relations
    transformer: Mapping[str, int]  #: MACs by term
    d_transformer: Mapping[str, int]

    @property
    def totals(self) -> dict[str, int]:
        """Exact MACs of each transformer."""
        return {
            "transformer": sum(self.transformer.values()),
            "d_transformer": sum(self.d_transformer.values()),
        }

    @property
    def exact_ratio(self) -> float:
        """MACs of the joint transformer divided by those of the decoupled one."""
        return self.totals["transformer"] / self.totals["d_transformer"]

    def document(self) -> dict[str, object]:
        """Return the cost for JSON, with relations, pairs and MACs in separate branches."""
        paper, pairs, total = self.paper, self.pairs, self.totals
        return {
            "n": self.grid.pixels,
            "grid": list(self.grid),
            "width": self.width,
            "paper": {
                "unit": "relations",
                "transformer": paper.transformer,
                "pst": paper.pst,
                "att": paper.att,
                "d_transformer": paper.d_transformer,
                "difference": paper.transformer - paper.d_transformer,
                "ratio": float(paper.ratio),
                "ratio_exact": str(paper.ratio),
                "crossover": CROSSOVER,
            },
            "pairs": {
                "unit": "pairs",
                "transformer": pairs.transformer,
                "pst": pairs.pst,
                "att": pairs.att,
                "d_transformer": pairs.d_transformer,
                "ratio": float(pairs.ratio),
                "ratio_exact": str(pairs.ratio),
            },
            "core": {
                "unit": "MAC",
                "transformer": 2 * self.width * pairs.transformer,
                "d_transformer": 2 * self.width * pairs.d_transformer,
            },
            "exact": {
                "unit": "MAC",
                "transformer": {**self.transformer, "total": total["transformer"]},
                "d_transformer": {**self.d_transformer, "total": total["d_transformer"]},
                "ratio": self.exact_ratio,
                "uncounted": list(UNCOUNTED),
            },
        }


def cost_at(grid: Grid, width: int) -> AttentionCost:
    """Return the cost of both transformers in relations (Eqs. 1, 4, 7, 8), pairs and MACs.

    All counts are exact integers, so any size works.
    """
    n = grid.pixels
    return AttentionCost(
        grid,
        width,
        relations(n),
        pairs(n),
        transformer_macs(grid, width),
        d_transformer_macs(grid, width),
    )
