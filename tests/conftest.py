import json
import os
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import ENDING, blank_figures, heed_signals
from torch import nn

# Ray and its workers must not look for a network; one thread keeps equal seeds equal on every
# machine.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
torch.set_num_threads(1)

DATA = Path(
    os.environ.get("MSAF_BENCH_DATA") or Path(__file__).parents[2] / "shared" / "data"
).absolute()


def pytest_collection_modifyitems(items):
    """Files with the most slow tests come first: the last of them keeps one worker alone."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def data_folder():
    """Returns the folder of a real data set by its name; skips the test where it is missing."""

    def find(name):
        if not (DATA / name).is_dir():
            pytest.skip(f"no {name} in {DATA}; set MSAF_BENCH_DATA to the folder that holds it")
        return DATA / name

    return find


@pytest.fixture(scope="session")
def camvid_root(data_folder):
    """The real frames and labels of CamVid."""
    return data_folder("camvid")


@pytest.fixture
def default_signals():
    """Signals of this process as a terminal leaves them."""
    before = {number: signal.getsignal(number) for number in ENDING}
    heed_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def undrawn():
    """Figures are written without content, in this process too."""
    with blank_figures():
        yield


class Golden:
    """Outputs of official implementations, and the fill under which they were made
    (tests/golden/README.md).
    """

    def __init__(self):
        self.cases = json.loads((Path(__file__).parent / "golden" / "golden.json").read_text())

    @staticmethod
    def u(n, salt):
        """n numbers in [-1, 1] that look random, in float64."""
        x = (np.arange(n, dtype=np.uint64) + 7919 * salt) % 2**32
        for factor, shift in ((2654435761, 16), (2246822519, 13), (3266489917, 16)):
            x = x * np.uint64(factor) % 2**32
            x ^= x >> np.uint64(shift)
        return torch.from_numpy(x.astype(np.float64) / (2**31) - 1.0)

    def frame(self, index, h, w):
        """Frame `index`, (1, 3, h, w)."""
        return self.u(3 * h * w, 100 + index).view(1, 3, h, w)

    def fill(self, net):
        """The network with every tensor filled by the rule, in float64 and evaluation mode."""
        net = net.double().eval()
        with torch.no_grad():
            for module in net.modules():
                norm = isinstance(
                    module, nn.modules.batchnorm._NormBase | nn.LayerNorm | nn.GroupNorm
                )
                for name, p in module.named_parameters(recurse=False):
                    n = p.numel()
                    if norm:
                        value = 0.7 + 0.2 * self.u(n, n) if name == "weight" else 0.1 * self.u(n, n)
                    elif p.ndim >= 2:
                        value = self.u(n, n) * (3.6 / (n / p.shape[0])) ** 0.5
                    else:
                        value = 0.05 * self.u(n, n)
                    p.copy_(value.view_as(p))
                if norm and getattr(module, "running_mean", None) is not None:
                    c = module.running_mean.numel()
                    module.running_mean.copy_(0.05 * self.u(c, c + 1))
                    module.running_var.copy_(1 + 0.2 * self.u(c, c + 2))
        return net

    def check(self, case, got, rtol=1e-6):
        """Fails unless `got` has the case's shape, statistics and samples."""
        expected, got = self.cases[case], got.detach()
        assert list(got.shape) == expected["shape"]
        assert got.dtype == torch.float64
        flat, scale = got.flatten(), expected["absmax"]
        found = {"mean": flat.mean(), "std": flat.std(unbiased=False), "absmax": flat.abs().max()}
        for name, value in found.items():
            assert float(value) == pytest.approx(expected[name], rel=rtol, abs=rtol * scale), name
        for index, value in expected["at"].items():
            assert float(flat[int(index)]) == pytest.approx(value, rel=rtol, abs=rtol * scale), (
                index
            )


@pytest.fixture(scope="session")
def golden():
    return Golden()
