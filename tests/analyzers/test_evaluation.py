"""`evaluate`: any network or callable on a data set."""

import pytest
import torch
from torch import nn

from msaf_bench.analyzers.evaluation import evaluate
from msaf_bench.analyzers.miou import best_constant
from msaf_bench.catalog import read_conditions
from msaf_bench.errors import DataError, UsageError

SMOKE = read_conditions("smoke", "street", {"flow": "zero"}, systems=True)


class Constant(nn.Module):
    """Says class 3 everywhere."""

    def __init__(self, classes=11):
        super().__init__()
        self.bias = nn.Parameter(torch.eye(classes)[3])

    def forward(self, clip):
        assert clip.ndim == 5
        return self.bias[None, :, None, None].expand(len(clip), -1, 4, 4)


@pytest.mark.slow
def test_a_module_of_the_users():
    net = Constant().train()
    found = evaluate(net, "street", conditions=SMOKE)
    assert 0 < found.miou <= best_constant(found.scores.confusion)
    assert found.past == 0  # it gives the same, whatever the past
    assert found.tc["clean"] == 100
    assert net.training
    document = found.document()
    assert list(document)[:5] == ["data", "split", "spacing", "repeated", "skipped"]
    assert document["miou"] == round(found.miou, 2)
    assert "<table>" in found._repr_html_()


@pytest.mark.slow
def test_a_plain_callable_that_reads_one_frame_has_no_past():
    def segment(clip):
        assert clip.shape[1] == 1
        return torch.zeros(len(clip), 11, 4, 4)

    assert evaluate(segment, "street", conditions=SMOKE, frames=1).past is None


@pytest.mark.parametrize(
    ("segment", "error", "said"),
    [
        (Constant(7), DataError, "expected"),
        (lambda clip: "sky", UsageError, "returns str"),
        (lambda clip: torch.full((len(clip), 11, 4, 4), torch.nan), DataError, "not finite"),
    ],
)
def test_what_is_no_network_of_this_data(segment, error, said):
    with pytest.raises(error, match=said):
        evaluate(segment, "street", conditions=SMOKE)
