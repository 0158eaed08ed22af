"""A batch learnt in parts has the gradient of the whole batch."""

import threading
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from msaf_bench.architectures import build
from msaf_bench.catalog import list_systems, read_conditions, read_system
from msaf_bench.spec import VOID
from msaf_bench.spec.stand_ins import shrunk
from msaf_bench.train.parallel import ProcessGroup
from msaf_bench.train.step import prepared

#: parts of these compute in single precision
SINGLE = {"efc": 1e4}

PLAIN = read_conditions("smoke", "street", {"batch": 4}, systems=True)
BY_ARCHITECTURE = {
    system.architecture: system for system in map(read_system, reversed(list_systems()))
}
QUIET = (_BatchNorm, nn.Dropout, nn.Dropout2d)


def network(system, dtype=torch.float64):
    """The network in training, but for batch norm and dropout, which see one part at a time."""
    torch.manual_seed(0)
    net = build(shrunk(system, PLAIN), 5).to(dtype).train()
    for module in net.modules():
        if isinstance(module, QUIET):
            module.eval()
            module.train = lambda mode=True, module=module: module  # also where a head is toggled
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.0
    return net


def batch(net, clips=4, size=(32, 64)):
    torch.manual_seed(1)
    frames = torch.randn(clips, max(3, net.frames), 3, *size, dtype=torch.float64)
    labels = torch.randint(5, (clips, *size))
    for i, label in enumerate(labels):  # each part has another number of labelled pixels
        label[: 7 * i] = VOID
    return frames, labels


def gradients(system, accumulate):
    net = network(system)
    conditions = PLAIN.model_copy(update={"accumulate": accumulate})
    with prepared(net, conditions) as learner:
        loss = learner.gradients(*batch(net))
    return loss, {name: p.grad for name, p in net.named_parameters() if p.grad is not None}


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_ARCHITECTURE)
def test_parts_have_the_gradient_of_the_whole_batch(name):
    system = BY_ARCHITECTURE[name]
    whole_loss, whole = gradients(system, 1)
    loss, found = gradients(system, 2)
    single = SINGLE.get(name, 1)
    assert loss.item() == pytest.approx(whole_loss.item(), rel=1e-10 * single)
    assert found.keys() == whole.keys()
    largest = max(gradient.abs().max() for gradient in whole.values())
    for weights, gradient in whole.items():
        near = torch.allclose(
            found[weights], gradient, rtol=1e-7 * single, atol=1e-10 * single * largest
        )
        assert near, weights


class Threads(ProcessGroup):
    """A group of threads, which say to each other what processes would."""

    meet = threading.Barrier(2, timeout=120)
    said: ClassVar = [None, None]

    def gathered(self, x):
        self.said[self.rank] = x
        self.meet.wait()
        everyone = torch.stack(self.said)
        self.meet.wait()
        return everyone

    def sum(self, x):
        return self.gathered(x).sum(0)


def share(whole, rank, accumulate):
    """The clips of a process: of each part its half."""
    return torch.cat([part.chunk(2)[rank] for part in whole.chunk(accumulate)])


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("name", ["single-frame", "tdnet", "efc", "lvs"])
def test_processes_have_the_gradient_of_the_whole_batch(name, accumulate):
    system = BY_ARCHITECTURE[name]
    whole_loss, whole = gradients(system, 1)
    nets = [network(system) for _ in range(2)]
    frames, labels = batch(nets[0])
    conditions = PLAIN.model_copy(update={"accumulate": accumulate})
    losses = [None, None]

    def learn(rank):
        with prepared(nets[rank], conditions) as learner:
            learner.group = Threads(rank, 2)
            own = (share(x, rank, accumulate) for x in (frames, labels))
            losses[rank] = learner.gradients(*own).item()

    threads = [threading.Thread(target=learn, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    single = SINGLE.get(name, 1)
    assert sum(losses) / 2 == pytest.approx(whole_loss.item(), rel=1e-10 * single)
    largest = max(gradient.abs().max() for gradient in whole.values())
    for weights, gradient in whole.items():
        both = [net.get_parameter(weights).grad for net in nets]
        mean = sum(each for each in both if each is not None) / 2
        assert torch.allclose(mean, gradient, rtol=1e-7 * single, atol=1e-10 * single * largest), (
            weights
        )
