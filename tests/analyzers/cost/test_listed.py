"""The costs that `msaf-bench list` shows are those of the systems as they are."""

import pytest

from msaf_bench.analyzers.cost.listed import listed_costs
from msaf_bench.analyzers.cost.system import empty_network, parameters_of
from msaf_bench.catalog import LISTED_CLASSES, list_systems, read_costs


def test_every_system_has_a_cost():
    assert tuple(read_costs()) == list_systems()


@pytest.mark.slow
@pytest.mark.parametrize("name", list_systems())
def test_parameters_are_current(name):
    """Else: python -m msaf_bench.analyzers.cost.listed > models/costs.json."""
    counted = sum(parameters_of(empty_network(name, LISTED_CLASSES)).values())
    assert read_costs()[name].params == counted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["msaf-r18", "pspnet18", "etc-psp18", "dilation8"])
def test_macs_are_current(name):
    assert listed_costs([name])[name] == read_costs()[name]
