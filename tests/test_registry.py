import inspect
import sys
import types

import pytest
from torch import nn

from msaf_bench import build
from msaf_bench.architectures import builtin
from msaf_bench.catalog import read_system
from msaf_bench.errors import UsageError
from msaf_bench.registry import Architecture
from msaf_bench.spec import Choice, System


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


@pytest.mark.slow
def test_a_plugged_in_component_is_used_with_its_options(monkeypatch):
    plug_in(monkeypatch, "my_parts", register=lambda registry: registry.align.add("shift", Shift))
    net = build(swapped(align={"use": "shift", "by": 2}), 5, plugins=["my_parts"])
    assert [(align.width, align.by) for align in net.motion.align] == [(256, 2), (256, 2)]


def test_a_broken_plug_in_fails_loudly(monkeypatch):
    plug_in(monkeypatch, "empty_parts")
    for name in ("empty_parts", "no_such_module"):
        with pytest.raises(UsageError, match=name):
            builtin().extend([name])


class Misled(nn.Module):
    """A component that asks for a value that its slot does not offer."""

    def __init__(self, dim, *, by=1):
        super().__init__()


def test_a_component_that_asks_for_more_than_its_slot_offers_is_named():
    registry = builtin()
    registry.align.add("shift", Misled)
    with pytest.raises(UsageError) as error:
        registry.check(swapped(align="shift"))
    assert str(error.value) == (
        "component align 'shift' asks for 'dim'; the slot 'align' of msaf offers: width"
    )
    registry.backbone.add("misled", Misled)
    with pytest.raises(UsageError, match="the slot 'backbone' of msaf offers: nothing"):
        registry.check(swapped(backbone="misled"))


def test_every_component_asks_for_what_some_architecture_offers_its_slot():
    registry = builtin()
    for name, slot in registry.slots.items():
        offers = [a.slots[name] for a in registry.architecture.values() if name in a.slots]
        for component, factory in slot.items():
            asked = {
                p.name
                for p in inspect.signature(factory).parameters.values()
                if p.kind is p.POSITIONAL_OR_KEYWORD
            }
            assert any(asked <= set(offered) for offered in offers), component


def test_an_architecture_offers_what_it_declares():
    def factory(make, num_classes):
        return make("align", width=8, depth=2)

    registry = builtin()
    registry.architecture["mine"] = Architecture({"align": ("width",)}, factory)
    system = System(architecture="mine", slots={"align": "none"})
    registry.check(system)
    with pytest.raises(UsageError, match="declares width but is offered width, depth"):
        registry.build(system, 3)


def test_an_architecture_that_makes_another_kind_of_network_is_named():
    registry = builtin()
    registry.architecture["mine"] = Architecture({}, lambda make, num_classes: nn.Identity())
    with pytest.raises(UsageError) as error:
        registry.build(System(architecture="mine", slots={}), 3)
    assert str(error.value) == (
        "architecture mine: its factory made a Identity, not a VideoNetwork; subclass"
        " msaf_bench.VideoNetwork"
    )


def test_an_unknown_slot_is_an_error():
    with pytest.raises(AttributeError, match="algin"):
        builtin().algin.add("shift", Shift)
    with pytest.raises(UsageError, match="did you mean align"):
        builtin().slot("algin")
