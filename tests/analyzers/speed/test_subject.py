"""What is timed: the right network, on the right input, with the output that it should have."""

import io
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from msaf_bench.analyzers.speed import worker as speed_worker
from msaf_bench.analyzers.speed.subject import PreparedSystem, prepare
from msaf_bench.analyzers.speed.tasks import Batch, SpeedConditions, SpeedTask
from msaf_bench.analyzers.speed.worker import main, time_batch, wall_lap
from msaf_bench.analyzers.speed.worker_report import SystemRun
from msaf_bench.catalog import read_system
from msaf_bench.errors import GateError
from msaf_bench.ports import Output


class Net(nn.Module):
    """Logits of two frames' 1x1 convolution, the past one's halved; its stream keeps what the past
    frame gave.
    """

    frames = 2

    def __init__(self, scale: float = 1.0, drift: float = 0.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        nn.init.constant_(self.conv.weight, scale)
        self.drift = drift
        self.seen: list[Tensor] = []

    def forward(self, clip: Tensor) -> Output:
        self.seen.append(clip)
        past, now = (self.conv(clip[:, t]) for t in range(2))
        return Output(now + past / 2, {})

    def stream(self) -> Any:
        past: list[Tensor] = []

        def step(frame: Tensor) -> Tensor:
            self.seen.append(frame)
            now = self.conv(frame)
            past.append(now)
            return now + past[-2:][0] / 2 + self.drift

        return SimpleNamespace(step=step, cycle=3)


def ready(net: Net, **changes: Any) -> PreparedSystem:
    torch.manual_seed(0)
    given = {"size": (6, 8), "mode": "stream", "threads": 1} | changes
    return prepare(net, SpeedConditions.model_validate(given))


@pytest.mark.parametrize("mode", ["clip", "stream"])
@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_input_has_the_asked_form(mode: str, precision: str, dtype: torch.dtype):
    net = Net()
    subject = ready(net, mode=mode, precision=precision, channels_last=True)
    given = next(subject.feed)
    assert given.shape == ((1, 2, 3, 6, 8) if mode == "clip" else (1, 3, 6, 8))
    assert given.dtype == net.conv.weight.dtype == dtype
    flat = given.flatten(0, 1) if mode == "clip" else given
    assert flat.is_contiguous(memory_format=torch.channels_last)
    assert 0.5 < given.float().std() < 2  # real values, as frames have
    assert subject.output.agrees
    assert (
        subject.output.max_abs_difference
        < (1e-5 if precision == "fp32" else 0.1) * subject.output.max_abs
    )


def test_the_check_sees_another_network():
    assert ready(Net()).output.max_abs_difference == 0
    other = ready(Net(drift=0.5)).output
    assert other.max_abs_difference == pytest.approx(0.5)
    assert not other.agrees
    assert ready(Net(drift=0.5), mode="clip").output.agrees


def test_logits_that_overflow_are_not_timed():
    with pytest.raises(GateError, match="fp16"):
        ready(Net(scale=1e5), precision="fp16")


@torch.inference_mode()
def test_clip_computes_all_frames_and_stream_one():
    net = Net()
    subject = ready(net, mode="clip")
    net.seen.clear()
    wall_lap(subject.stages.values(), subject.feed)
    assert [tuple(x.shape) for x in net.seen] == [(1, 2, 3, 6, 8)]
    subject = ready(net)
    net.seen.clear()
    for _ in range(3):
        wall_lap(subject.stages.values(), subject.feed)
    assert [tuple(x.shape) for x in net.seen] == [(1, 3, 6, 8)] * 3
    assert torch.equal(net.seen[0], net.seen[2])  # the frames come round again
    assert not torch.equal(net.seen[0], net.seen[1])
    assert (subject.cycle, ready(net, mode="clip").cycle) == (3, 1)


@pytest.mark.parametrize(
    ("region", "names"),
    [
        ("forward", ["forward"]),
        ("forward+argmax", ["forward", "argmax"]),
        ("e2e", ["upload", "forward", "argmax", "download"]),
    ],
)
@torch.inference_mode()
def test_regions(region: str, names: list[str]):
    subject = ready(Net(), region=region)
    assert list(subject.stages) == names
    value = next(subject.feed)
    assert value.shape == ((1, 6, 8, 3) if region == "e2e" else (1, 3, 6, 8))
    for stage in subject.stages.values():
        value = stage(value)
    assert value.shape == ((1, 4, 6, 8) if region == "forward" else (1, 6, 8))
    assert (
        value.dtype
        == {"forward": torch.float32, "forward+argmax": torch.int64, "e2e": torch.uint8}[region]
    )
    assert len(wall_lap(subject.stages.values(), subject.feed)) == len(names)


def test_a_lap_of_a_device_has_one_mark_after_it_was_waited_for():
    order: list[str] = []
    stages = [lambda x: order.append("a") or x, lambda x: order.append("b") or x]
    lap = wall_lap(stages, iter([1, 2]), lambda: order.append("wait"))
    assert order == ["a", "b", "wait"]
    assert len(lap) == 1


def test_what_is_compiled_is_what_runs(monkeypatch: pytest.MonkeyPatch):
    compiled: list[Any] = []

    def stand_in(forward: Any) -> Any:
        compiled.append(forward)
        return forward

    monkeypatch.setattr(torch, "compile", stand_in)
    for mode in ("clip", "stream"):
        subject = ready(Net(), mode=mode, compiled=True)
        assert subject.stages["forward"] is compiled[-1]
        list(islice(subject.feed, 3))


BATCH = Batch(
    tasks=tuple(
        SpeedTask(
            system=read_system("msaf-r18").swap(name=name),
            conditions=SpeedConditions(
                size=(6, 8), mode="clip", threads=1, seconds=0.01, timeout=0.02, schedule="rounds"
            ),
            num_classes=2,
        )
        for name in ("a", "b", "c")
    ),
    number=1,
)


def test_whatever_breaks_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def broken(*_: object) -> None:
        print("a plug-in prints")
        raise RuntimeError("no compiler\n  found: install one\n\nSet X for the stack")

    monkeypatch.setattr(speed_worker, "time_batch", broken)
    monkeypatch.setattr("sys.stdin", io.StringIO(BATCH.model_dump_json()))
    assert main() == 1
    out, err = capsys.readouterr()
    assert not out
    assert err.splitlines()[-1] == "RuntimeError: no compiler found: install one"


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process may freeze its objects and set its threads; this one goes on."""
    before = torch.get_num_threads()
    monkeypatch.setattr(speed_worker.gc, "freeze", lambda: None)
    yield
    torch.set_num_threads(before)


class Fragile(Net):
    """Raises after so many frames."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.left = frames

    def forward(self, clip: Tensor) -> Output:
        self.left -= 1
        if self.left < 0:
            raise MemoryError("too large")
        return super().forward(clip)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [0, 3, 8], ids=["built", "peak", "rounds"])
@pytest.mark.usefixtures("threads")
def test_a_system_that_raises_is_a_reason_among_the_others(
    monkeypatch: pytest.MonkeyPatch, frames: int
):
    monkeypatch.setattr(
        speed_worker,
        "build",
        lambda system, *_, **__: Fragile(frames) if system.name == "b" else Net(),
    )
    a, b, c = time_batch(BATCH).results
    assert b == "MemoryError: too large"
    assert isinstance(a, SystemRun)
    assert isinstance(c, SystemRun)
    assert a.process.turns >= 6
    assert len(a.wall_ms) == a.process.samples


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
def test_a_system_that_cannot_be_built_is_a_reason_among_the_others():
    a, b = BATCH.tasks[:2]
    found = time_batch(
        Batch(
            tasks=(a.model_copy(update={"system": a.system.swap(options={"heads": 5})}), b),
            number=1,
        )
    ).results
    assert isinstance(found[0], str)
    assert found[0].splitlines() == [found[0]]
    assert "embed_dim" in found[0] or "heads" in found[0]
    assert isinstance(found[1], SystemRun)


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
def test_no_more_systems_are_taken_in_than_memory_holds(monkeypatch: pytest.MonkeyPatch):
    held = iter([0, 10, 30])
    monkeypatch.setattr(speed_worker, "build", lambda *_, **__: Net())
    monkeypatch.setattr(speed_worker, "_held", lambda device: next(held))
    monkeypatch.setattr(speed_worker, "_free", lambda device: 50)
    assert len(time_batch(BATCH).results) == 2


def test_a_cycle_begins_with_the_first_frame_that_is_timed():
    net = Net()
    ready(net)
    assert len([x for x in net.seen if x.ndim == 4]) == 3  # the clip's two frames and one more
