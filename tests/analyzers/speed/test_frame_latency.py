"""`latency` of a module in hand, timed in this process."""

import pytest
import torch
from torch import nn

from msaf_bench.analyzers.speed.frame_latency import latency
from msaf_bench.errors import UsageError


@pytest.mark.slow
def test_a_module_is_timed_here_and_stays_as_it_is():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout()).train()
    found = latency(net, (8, 8), seconds=0.02, timeout=0.1)
    assert found.latency is not None, found.reason
    assert found.fps == pytest.approx(1000 / found.latency.mean)
    assert (found.name, found.measured_in) == ("Sequential", "this process")
    assert len(found.processes) == 1
    assert found.conditions.threads == torch.get_num_threads()
    assert net.training


class Broken(nn.Module):
    def forward(self, picture):
        raise ValueError("not today")


def test_a_module_that_fails_has_a_reason():
    found = latency(Broken(), (8, 8), seconds=0.02)
    assert found.latency is None
    assert "not today" in found.reason


def test_a_module_without_a_stream():
    with pytest.raises(UsageError, match="no method stream"):
        latency(nn.Conv2d(3, 1, 1), (4, 4), mode="stream")
