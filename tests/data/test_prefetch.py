"""Results made ahead: their order, their errors, and that no thread stays."""

import threading
import time

import pytest

from msaf_bench.data import prefetch
from msaf_bench.data.prefetch import DEPTH, ahead, default_threads


def loaders():
    return [t for t in threading.enumerate() if t.name.startswith("msaf-bench-loader")]


@pytest.mark.parametrize("threads", [0, 1, 4])
@pytest.mark.parametrize("count", [0, 1, 30])
def test_results_come_in_order_whatever_takes_longest(threads, count):
    def make(item):
        time.sleep(0.002 * (item % 3 == 0))
        return item * item

    with ahead(make, iter(range(count)), threads) as results:
        assert list(results) == [item * item for item in range(count)]
    assert not loaders()


def test_so_many_results_are_made_before_they_are_asked_for():
    made = []
    with ahead(made.append, range(100), threads=2) as results:
        for taken in range(1, 4):
            next(results)
            deadline = time.monotonic() + 10
            while len(made) < 2 * DEPTH + taken and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(0.01)
            assert len(made) == 2 * DEPTH + taken


def test_without_threads_a_result_is_made_when_it_is_asked_for():
    made = []
    with ahead(made.append, range(5), threads=0) as results:
        next(results)
        assert made == [0]


class OwnError(Exception):
    pass


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_an_error_of_a_thread_is_the_callers_as_it_is(threads):
    def make(item):
        if item == 3:
            raise OwnError("frame 3 is cut")
        return item

    taken = []
    with (
        pytest.raises(OwnError, match=r"^frame 3 is cut$"),
        ahead(make, range(100), threads) as results,
    ):
        taken.extend(results)
    assert taken == [0, 1, 2]
    assert not loaders()


@pytest.mark.parametrize("ending", [OwnError, KeyboardInterrupt, SystemExit])
def test_no_thread_stays_when_the_caller_ends_the_loop(ending):
    made = []

    def make(item):
        time.sleep(0.005)
        made.append(item)

    def loop():
        with ahead(make, range(1000), threads=3) as results:
            next(results)
            raise ending

    with pytest.raises(ending):
        loop()
    assert not loaders()
    assert len(made) < 20


def test_a_loop_that_is_left_early_leaves_no_thread():
    with ahead(str, range(1000), threads=2) as results:
        for text in results:
            if text == "5":
                break
    assert not loaders()


@pytest.mark.parametrize(
    ("device", "cores", "threads", "expected"),
    [("cpu", 64, 1, 0), ("cuda", 64, 1, 4), ("cuda:1", 4, 2, 2), ("cuda", 1, 1, 0)],
)
def test_a_gpu_has_loader_threads_as_far_as_cores_are_left(
    monkeypatch, device, cores, threads, expected
):
    monkeypatch.setattr(prefetch, "usable_cores", lambda: cores)
    assert default_threads(device, threads) == expected
