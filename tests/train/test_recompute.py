"""Activation checkpointing changes memory and time, and no number."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from msaf_bench.architectures import build
from msaf_bench.catalog import list_systems, read_conditions, read_system
from msaf_bench.spec.stand_ins import shrunk
from msaf_bench.train.recompute import units
from msaf_bench.train.step import prepared

PLAIN = read_conditions("smoke", "street", systems=True)
SYSTEMS = {s.architecture: s for s in map(read_system, reversed(list_systems()))}


class Peak(TorchDispatchMode):
    """Follows how many bytes of tensors exist at once."""

    def __init__(self):
        super().__init__()
        self.live, self.most, self.known = 0, 0, set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self._follow(tensor.untyped_storage())
        return out

    def _follow(self, storage):
        place, size = storage.data_ptr(), storage.nbytes()
        if place in self.known:
            return
        self.known.add(place)
        self.live += size
        self.most = max(self.most, self.live)
        weakref.finalize(storage, self._gone, place, size)

    def _gone(self, place, size):
        self.known.discard(place)
        self.live -= size


def learnt(system, recompute, peak=None, size=(32, 64)):
    torch.manual_seed(0)
    net = build(shrunk(system, PLAIN), 5).train()
    frames = torch.randn(2, max(3, net.frames), 3, *size)
    labels = torch.randint(5, (2, *size))
    conditions = PLAIN.model_copy(update={"checkpoint_activations": recompute})
    with prepared(net, conditions) as learner:
        if peak is None:
            loss = learner.gradients(frames, labels)
        else:
            with peak:
                loss = learner.gradients(frames, labels)
    gradients = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    return net, loss, gradients


@pytest.mark.slow
@pytest.mark.parametrize("name", ["msaf", "tdnet", "etc", "lma", "mc", "accel"])
def test_gradients_and_statistics_stay_the_same(name):
    plain, loss, gradients = learnt(SYSTEMS[name], recompute=False)
    net, other_loss, others = learnt(SYSTEMS[name], recompute=True)
    assert torch.equal(loss, other_loss)
    assert gradients.keys() == others.keys()
    for weights, gradient in gradients.items():
        assert torch.equal(gradient, others[weights]), weights
    for buffer, value in plain.state_dict().items():
        assert torch.equal(value, net.state_dict()[buffer]), buffer
    assert not any("forward" in vars(module) for module in net.modules())
    assert list(units(net))


@pytest.mark.slow
def test_less_memory_is_held():
    peaks = [Peak(), Peak()]
    for recompute, peak in enumerate(peaks):
        learnt(SYSTEMS["msaf"], bool(recompute), peak, size=(64, 128))
    assert peaks[1].most < 0.75 * peaks[0].most
