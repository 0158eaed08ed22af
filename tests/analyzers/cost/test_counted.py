"""`cost`: one call for systems and for any module."""

import sys

import pytest
from torch import nn

from msaf_bench.analyzers.cost.counted import cost
from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.errors import UsageError


@pytest.mark.slow
def test_a_system_costs_what_the_formulas_say():
    found = cost("msaf-r18", (32, 48), num_classes=5, counters=False)
    assert found.cost == system_cost("msaf-r18", 5, (32, 48))
    assert (found.name, found.num_classes, found.counters) == ("msaf-r18", 5, {})
    assert found.document()["gmacs"] == found.gmacs == found.macs / 1e9


def test_a_module_in_hand_is_counted_on_a_picture_and_stays_as_it_is():
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)).train()
    found = cost(net, (6, 10))
    assert found.macs == 6 * 10 * 8 * 3 * 9
    assert found.params == 8 * 3 * 9 + 8 + 2 * 8
    assert {name: c.macs for name, c in found.counters.items()} == dict.fromkeys(
        ("torch", "ptflops", "fvcore"), found.macs
    )
    assert net.training
    assert (found.name, found.num_classes) == ("Sequential", None)


class Clip(nn.Module):
    """Reads clips, and does not say of how many frames."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, clip):
        return self.conv(clip.flatten(0, 1))


def test_a_module_may_read_a_clip():
    assert cost(Clip(), (4, 4), frames=5, counters=False).macs == 5 * 4 * 4 * 6


def test_a_module_without_a_stream_has_no_cost_of_one():
    with pytest.raises(UsageError, match="no method stream"):
        cost(nn.Conv2d(3, 1, 1), (4, 4), mode="stream")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["fvcore", "ptflops"])
def test_a_counter_that_is_not_installed_is_named_and_the_others_count(monkeypatch, package):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    counts = cost("msaf-r18", (64, 64), counters=True).counters
    lost = counts.pop(package)
    assert lost.macs is None
    assert lost.reason == f"{package} is not installed"
    assert all(count.macs for count in counts.values())
