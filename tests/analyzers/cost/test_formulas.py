"""Golden cases: counts worked out by hand, against the formulas and against each completed
counter.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import flop_registry

from msaf_bench.analyzers.cost.counters import by_fvcore, by_ptflops, by_torch
from msaf_bench.analyzers.cost.formulas import einsum
from msaf_bench.analyzers.cost.system import module_cost
from msaf_bench.analyzers.cost.tally import without_content


class Of(nn.Module):
    """A function of one tensor as a module."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


class Heads(nn.Module):
    def __init__(self, *, weights, frozen=False, d=512):
        super().__init__()
        self.heads = nn.MultiheadAttention(d, 8, batch_first=True).requires_grad_(not frozen)
        self.weights = weights

    def forward(self, x):
        return self.heads(x, x, x, need_weights=self.weights)[0]


class Layers(nn.Module):
    """Every kind of product that a module can hold; fused attention, einsum, `@` and a vector among
    them.
    """

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.up = nn.ConvTranspose2d(16, 16, 4, stride=2, padding=1)
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
        self.vector = nn.Parameter(torch.ones(16))

    def forward(self, x):
        x = self.up(self.norm(self.conv(x)))
        tokens = self.layer(
            functional.interpolate(x, (4, 4), mode="bilinear").flatten(2).transpose(1, 2)
        )
        pairs = torch.einsum("bij,bkj->bik", tokens, tokens) @ tokens
        return functional.scaled_dot_product_attention(pairs, tokens, tokens) @ self.vector


def attend(x):
    q, k, v = x.unbind(0)
    return functional.scaled_dot_product_attention(q, k, v)


def product(x):
    return (x @ x.transpose(1, 2)).softmax(-1) @ x


N, D = 1024, 512
HEADS = 4 * N * D**2 + 2 * N**2 * D

MACS = {
    "conv": (nn.Conv2d(64, 128, 3, padding=1), (1, 64, 56, 56), 231_211_008),
    "transposed conv": (
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
        (1, 64, 56, 56),
        102_760_448,
    ),
    "depthwise conv": (nn.Conv2d(64, 64, 3, padding=1, groups=64), (1, 64, 56, 56), 1_806_336),
    "linear": (nn.Linear(D, D), (1, N, D), 268_435_456),
    "attention with weights": (Heads(weights=True), (1, N, D), HEADS),
    "attention without weights": (Heads(weights=False), (1, N, D), HEADS),
    "frozen attention": (Heads(weights=False, frozen=True), (1, N, D), HEADS),
    "encoder layer": (
        nn.TransformerEncoderLayer(D, 8, 2048, batch_first=True),
        (1, N, D),
        HEADS + 2 * N * D * 2048,
    ),
    "fused attention": (Of(attend), (3, 1, 8, N // 4, 64), 2 * 8 * (N // 4) ** 2 * 64),
    "einsum": (Of(lambda x: torch.einsum("bij,bkj->bik", x, x)), (1, N, D), N * N * D),
    "@": (Of(product), (1, N, D), 1_073_741_824),
    "matmul": (Of(lambda x: torch.matmul(x, x.transpose(1, 2))), (2, 8, 5), 2 * 8 * 8 * 5),
    "matrix @ vector": (Of(lambda x: x @ x[0]), (512, 512), 262_144),
    "dot": (Of(lambda x: torch.dot(x, x)), (7,), 7),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", MACS)
def test_macs_are_the_hand_count_on_every_device_path(case):
    net, shape, macs = MACS[case]
    net.eval()
    before = dict(flop_registry)
    cost = module_cost(net, shape)
    assert cost.total_macs == macs
    assert not cost.uncounted
    assert by_torch(without_content(net), torch.empty(shape, device="meta")).macs == macs
    x = torch.zeros(shape)
    assert by_torch(net, x).macs == macs  # the CPU's own kernels and fast paths
    assert by_fvcore(net, x) == (macs, "")
    assert flop_registry == before


@pytest.mark.slow
def test_all_counters_agree_on_a_network_of_everything():
    net, x = Layers().eval(), torch.zeros(1, 3, 8, 8)
    tokens = 16
    macs = 64 * 27 * 16 + 64 * 16 * 16 * 16  # conv; transposed conv
    macs += 4 * tokens * 16**2 + 2 * tokens**2 * 16 + 2 * tokens * 16 * 32  # encoder layer
    macs += 2 * tokens**2 * 16 + 2 * tokens**2 * 16 + tokens * 16  # einsum and @; attention; vector
    cost = module_cost(net, x.shape)
    assert cost.total_macs == macs
    assert cost.by_operator["attention"] == 2 * 2 * tokens**2 * 16
    counts = [by_torch(net, x), by_fvcore(net, x), by_ptflops(net, x)]
    assert [count.macs for count in counts] == [macs] * 3, counts


def test_fused_attention_without_content_has_no_size_limit():
    cost = module_cost(Of(attend), (3, 1, 8, 3 * 97 * 97, 64))
    assert cost.total_macs == 815_885_853_696
    assert cost.live_bytes == 4 * 8 * 3 * 97 * 97 * 64  # no map of all pairs


ELEMENTWISE = {
    "grid_sample": (
        Of(lambda x: functional.grid_sample(x, x.new_zeros(1, 97, 97, 2), align_corners=False)),
        (1, 64, 97, 97),
        2_408_704,
    ),
    "bilinear": (
        Of(lambda x: functional.interpolate(x, (97, 97), mode="bilinear")),
        (1, 64, 49, 49),
        2_408_704,
    ),
    "nearest": (Of(lambda x: functional.interpolate(x, (97, 97))), (1, 64, 49, 49), 0),
    "layer norm": (nn.LayerNorm(64), (10, 64), 5 * 640),
    "softmax": (Of(lambda x: x.softmax(-1)), (10, 64), 3 * 640),
    "batch norm": (nn.BatchNorm2d(64), (1, 64, 5, 5), 2 * 1600),
    "relu": (nn.ReLU(inplace=True), (10, 64), 640),
    "residual sum": (Of(lambda x: x + x), (10, 64), 640),
    "average pool": (nn.AvgPool2d(2), (1, 4, 6, 6), 36 * 4),
    "mean": (Of(lambda x: x.mean(1)), (10, 64), 640),
    "bias": (nn.Conv2d(4, 8, 1), (1, 4, 5, 5), 8 * 25),
    "copies and views": (Of(lambda x: torch.cat((x, x)).transpose(0, 1).reshape(-1)), (10, 64), 0),
    "dropout": (nn.Dropout(), (10, 64), 0),
}


@pytest.mark.parametrize("case", ELEMENTWISE)
def test_elementwise_operations_keep_to_their_own_column(case):
    net, shape, operations = ELEMENTWISE[case]
    cost = module_cost(net, shape)
    assert sum(cost.elementwise.values()) == operations
    assert cost.total_macs == (100 * 8 if case == "bias" else 0)
    assert not cost.uncounted


@pytest.mark.parametrize(
    "equation", ["bij,bkj->bik", "bi,bj->bij", "ij,k->i", "ij,jk->ik", "i,i->"]
)
def test_einsum_is_what_torch_multiplies(equation):
    sizes = dict(zip("bijk", (2, 3, 5, 7), strict=True))
    first, second = equation.partition("->")[0].split(",")
    a, b = (torch.zeros([sizes[i] for i in part]) for part in (first, second))
    expected = {
        "bij,bkj->bik": 2 * 3 * 7 * 5,
        "bi,bj->bij": 2 * 3 * 5,
        "ij,k->i": 3,
        "ij,jk->ik": 3 * 5 * 7,
        "i,i->": 3,
    }
    assert einsum(equation, (a.shape, b.shape)) == expected[equation]
