import sys
import types

import pytest
from torch import nn

from msaf_bench import build
from msaf_bench.architectures import builtin
from msaf_bench.catalog import read_system
from msaf_bench.errors import UsageError
from msaf_bench.spec import Choice


def swapped(**slots):
    return read_system("msaf-r18").swap(
        tuple((slot, Choice.model_validate(choice)) for slot, choice in slots.items())
    )


def test_each_call_gives_a_fresh_registry():
    builtin().motion.add("mine", nn.Identity)
    assert "mine" not in builtin().motion


def test_a_taken_name_is_an_error():
    with pytest.raises(UsageError, match="taken"):
        builtin().align.add("dcn", nn.Identity)


@pytest.mark.parametrize(
    ("system", "message"),
    [
        (swapped(motion="decopled"), "did you mean decoupled"),
        (swapped(align={"use": "dcn", "kernal": 5}), "did you mean kernel"),
        (swapped(align={"use": "none", "kernel": 5}), "no option at all"),
        (swapped(motion="vanilla"), "no effect"),
        (read_system("msaf-r18").swap(options=(("widht", 3),)), "did you mean width"),
    ],
)
def test_a_wrong_choice_names_the_remedy(system, message):
    with pytest.raises(UsageError, match=message):
        builtin().check(system)


class Shift(nn.Module):
    """A component from outside."""

    def __init__(self, width, *, by=1):
        super().__init__()
        self.width, self.by = width, by

    def forward(self, frame):
        return frame.roll(self.by, -1)


def plug_in(monkeypatch, name, **content):
    module = types.ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


def test_a_plugged_in_component_is_used_with_its_options(monkeypatch):
    plug_in(monkeypatch, "my_parts", register=lambda registry: registry.align.add("shift", Shift))
    net = build(swapped(align={"use": "shift", "by": 2}), 5, plugins=["my_parts"])
    assert [(align.width, align.by) for align in net.motion.align] == [(256, 2), (256, 2)]


def test_a_broken_plug_in_fails_loudly(monkeypatch):
    plug_in(monkeypatch, "empty_parts")
    for name in ("empty_parts", "no_such_module"):
        with pytest.raises(UsageError, match=name):
            builtin().extend([name])
