"""Preparation of a network for timing: conversion, input, stages of the timed region.

Shapes: T frames, C channels, K classes, H W image.
"""

from collections.abc import Callable, Iterator
from itertools import cycle, islice
from time import perf_counter_ns
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from msaf_bench.analyzers.speed.tasks import SpeedConditions
from msaf_bench.analyzers.speed.worker_report import OutputCheck
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.data.transforms import normalise
from msaf_bench.errors import GateError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
#: largest difference of a logit, relative to the largest logit; TF32 counts as fp32
TOLERANCE = {"fp32": 0.01, "fp16": 0.05, "bf16": 0.1}

Stage = Callable[[Any], Any]


class PreparedSystem(NamedTuple):
    """Network ready to be timed."""

    stages: dict[str, Stage]  #: stages of the region in order, each with the previous one's output
    feed: Iterator[object]  #: endless inputs of the first stage
    #: number of frames after which the work repeats; for a stream, its attribute `cycle`
    cycle: int
    first_ms: float  #: time of the first frame: allocation, choice of kernels, compilation
    output: OutputCheck


def prepare(net: VideoNetwork, conditions: SpeedConditions) -> PreparedSystem:
    """Convert the network, run it on one clip, and compare its logits with `net(clip)` in fp32.

    The images are noise, normalised like frames. A stream has a full history afterwards. Raises
    `GateError` if logits are not finite.
    """
    pictures = np.random.default_rng(0).integers(
        256, size=(net.frames, *conditions.size, 3), dtype=np.uint8
    )
    form = torch.channels_last if conditions.channels_last else torch.contiguous_format
    dtype, device, clip = DTYPES[conditions.precision], conditions.device, conditions.mode == "clip"
    with torch.inference_mode():
        expected = net(normalise(pictures)[None].to(device)).logits
    net.to(dtype=dtype, memory_format=form)  # pyright: ignore[reportCallIssue]

    def upload(chosen: NDArray[np.uint8]) -> Tensor:
        frames = normalise(chosen).to(device, dtype, memory_format=form)
        return frames[None] if clip else frames

    stream = None if clip else net.stream()
    forward: Stage = stream.step if stream else lambda given: net(given).logits
    forward = torch.compile(forward) if conditions.compiled else forward
    chunks = [pictures] if clip else [pictures[t : t + 1] for t in range(net.frames)]
    with torch.inference_mode():
        ready = [upload(chunk) for chunk in chunks]
        begin = perf_counter_ns()
        logits = forward(ready[0])
        if device != "cpu":
            torch.cuda.synchronize()
        first_ms = (perf_counter_ns() - begin) / 1e6
        for frame in ready[1:]:
            logits = forward(frame)
        output = _compare(logits, expected, conditions.precision)
        period = stream.cycle if stream else 1
        # finish the cycle, so that the next frame is a key frame
        for frame in islice(cycle(ready), -len(ready) % period):
            forward(frame)
    feed: Iterator[object] = cycle(chunks if conditions.region == "e2e" else ready)
    return PreparedSystem(
        _region(conditions.region, forward, upload), feed, period, first_ms, output
    )


def _region(name: str, forward: Stage, upload: Stage) -> dict[str, Stage]:
    if name == "forward":
        return {"forward": forward}
    timed: dict[str, Stage] = {"forward": forward, "argmax": lambda logits: logits.argmax(1)}
    return (
        timed
        if name == "forward+argmax"
        else {"upload": upload, **timed, "download": lambda labels: labels.to("cpu", torch.uint8)}
    )


def _compare(logits: Tensor, expected: Tensor, precision: str) -> OutputCheck:
    if not torch.isfinite(logits).all():
        raise GateError(f"its logits are not finite in {precision}; nothing was timed")
    difference, largest = (
        float((logits.float() - expected).abs().max()),
        float(expected.abs().max()),
    )
    same = float((logits.argmax(1) == expected.argmax(1)).float().mean())
    return OutputCheck(
        max_abs_difference=difference,
        max_abs=largest,
        same_class=same,
        agrees=difference <= TOLERANCE[precision] * largest,
    )
