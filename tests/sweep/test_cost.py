import pytest
from heard import Heard

from msaf_bench.analyzers.cost import system
from msaf_bench.catalog import read_conditions, read_table
from msaf_bench.errors import GateError, HostError
from msaf_bench.sweep.plan import make_plan
from msaf_bench.sweep.row_costs import count_rows, read_costs
from msaf_bench.sweep.workspace import Setting, Workspace

TABLE = read_table("1").model_copy(
    update={"cost_size": (64, 96), "cost_classes": 5, "reference": "PSPNet18"}
)


@pytest.fixture
def setting(tmp_path):
    return Setting(Workspace(tmp_path))


def plan():
    return make_plan(TABLE, read_conditions("smoke", "street", systems=True), ["DFF ResNet101"], 1)


@pytest.mark.slow
def test_rows_are_counted_as_published_and_once(setting, monkeypatch):
    count_rows(plan(), setting, Heard())
    costs = read_costs(plan(), setting.workspace)
    assert set(costs) == {"PSPNet18", "DFF ResNet101"}
    assert costs["DFF ResNet101"].params > 80_000_000  # not of the small network that is trained
    assert len(costs["DFF ResNet101"].stream) == 5
    assert costs["PSPNet18"].stream == (costs["PSPNet18"].clip,)
    monkeypatch.setattr(system, "system_cost", None)
    count_rows(plan(), setting, Heard())


@pytest.fixture
def uncounted(monkeypatch):
    def refuse(*_, **__):
        raise GateError("no shape")

    monkeypatch.setattr(system, "system_cost", refuse)


@pytest.mark.slow
def test_what_cannot_be_counted_has_a_reason(setting, uncounted):
    count_rows(plan(), setting, Heard())
    assert {cost.reason for cost in read_costs(plan(), setting.workspace).values()} == {"no shape"}


@pytest.mark.slow
def test_a_damaged_file_is_named(setting, uncounted):
    count_rows(plan(), setting, Heard())
    path = next(setting.workspace.cost.iterdir())
    path.write_text("{")
    with pytest.raises(HostError, match=path.name):
        read_costs(plan(), setting.workspace)
