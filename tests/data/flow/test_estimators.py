from pathlib import Path

import numpy as np
import pytest

from msaf_bench.data.flow import estimators as module
from msaf_bench.data.flow.estimators import estimate, flat
from msaf_bench.errors import DataError, HostError, UsageError


def texture(seed=0, size=(48, 64)):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (size[0] // 4, size[1] // 4, 3)).astype(np.float32)
    return np.kron(coarse, np.ones((4, 4, 1))).astype(np.uint8)


@pytest.mark.parametrize("kind", ["dis", "farneback"])
def test_estimators_find_a_shift_both_ways(kind):
    picture = texture(size=(96, 128))
    flow = estimate(kind, picture, np.roll(picture, (1, 3), (0, 1)))
    for way, sign in ((flow.forward, 1), (flow.backward, -1)):
        np.testing.assert_allclose(
            np.median(way[20:-20, 20:-20], (0, 1)), (3 * sign, 1 * sign), atol=0.1
        )


def test_no_motion_is_zero():
    flow = estimate("zero", texture(0), texture(1))
    assert not flow.forward.any()
    assert not flow.backward.any()


def test_wrong_input_is_named():
    with pytest.raises(UsageError, match="unknown flow 'diss'; did you mean dis?"):
        estimate("diss", texture(), texture())
    with pytest.raises(DataError, match="one size"):
        estimate("dis", texture(), texture(size=(48, 60)))
    with pytest.raises(DataError, match="8x16 are too small"):
        estimate("dis", texture(size=(8, 16)), texture(size=(8, 16)))


def test_a_broken_torchvision_is_explained(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr(module, "import_module", broken)
    with pytest.raises(
        HostError,
        match=r"--flow raft: operator torchvision::nms does not exist; install the torchvision",
    ):
        estimate("raft", texture(), texture())


def test_raft_is_called_as_torchvision_documents_it(monkeypatch):
    """A stand-in: pictures in -1..1 at a multiple of 8, the last of the returned flows, forward
    then backward.
    """
    import torch

    class Models:
        class Raft_Large_Weights:  # noqa: N801
            C_T_SKHT_V2 = "weights"

        @staticmethod
        def raft_large(weights):
            assert weights == "weights"
            return Net()

    class Net(torch.nn.Module):
        def forward(self, one, two, num_flow_updates):
            assert one.shape == two.shape == (2, 3, 136, 128)
            assert num_flow_updates == 20
            assert one.abs().max() <= 1
            step = (two - one).mean((1, 2, 3), keepdim=True).expand(-1, 2, 136, 128)
            return [step * 0, step]

    monkeypatch.setattr(
        module,
        "import_module",
        lambda name: Models if name == "torchvision.models.optical_flow" else None,
    )
    dark, bright = np.zeros((130, 40, 3), np.uint8), np.full((130, 40, 3), 255, np.uint8)
    flow = estimate("raft", dark, bright)
    assert flow.forward.shape == flow.backward.shape == (130, 40, 2)
    np.testing.assert_allclose(flow.forward, 2)
    np.testing.assert_allclose(flow.backward, -2)


def counted(monkeypatch):
    calls = []
    plain = module._estimated
    monkeypatch.setattr(
        module, "_estimated", lambda *given: calls.append(given[0]) or plain(*given)
    )
    return calls


def test_the_cache_is_by_content(tmp_path, monkeypatch):
    calls = counted(monkeypatch)
    a, b = texture(0), texture(1)
    first = estimate("dis", a, b, tmp_path)
    again = estimate("dis", a.copy(), b.copy(), tmp_path)
    assert calls == ["dis"]
    np.testing.assert_array_equal(first.forward, again.forward)
    np.testing.assert_array_equal(first.backward, again.backward)
    changed = b.copy()
    changed[0, 0, 0] ^= 1
    for pair in ((b, a), (a, changed)):
        estimate("dis", *pair, tmp_path)
    estimate("farneback", a, b, tmp_path)
    monkeypatch.setitem(module.ESTIMATORS, "dis", "another version")
    estimate("dis", a, b, tmp_path)
    assert calls == ["dis", "dis", "dis", "farneback", "dis"]
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize(
    "harm",
    [
        lambda d: b"",
        lambda d: d[:-1],
        lambda d: d[:40] + bytes([d[40] ^ 1]) + d[41:],
        lambda d: d + b"x",
    ],
)
def test_a_damaged_cache_file_is_made_again(tmp_path, monkeypatch, harm):
    a, b = texture(0), texture(1)
    first = estimate("dis", a, b, tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(harm(whole))
    calls = counted(monkeypatch)
    np.testing.assert_array_equal(estimate("dis", a, b, tmp_path).forward, first.forward)
    assert calls == ["dis"]
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_an_error_of_the_host():
    with pytest.raises(HostError, match="choose another folder"):
        estimate("dis", texture(0), texture(1), Path("/proc/nothing"))


def test_flat_pictures_are_told():
    assert flat(np.full((9, 9, 3), 77, np.uint8))
    assert not flat(texture())
