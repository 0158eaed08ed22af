"""Latency of one system by `msaf-bench fps` and by two public methods, in alternating rounds.

    python benchmarks/speed.py [SYSTEM] [HxW]

On an idle machine, all three should agree. `Timer` is the one of torch.utils.benchmark: median of
block means. "5 + 195" is the loop in the benchmark scripts of mmsegmentation and TMANet: the mean
of 195 frames after five frames of warm-up. One CPU thread, clip mode, forward and argmax, batch 1,
random weights.
"""

import sys
from time import perf_counter

import torch
from torch.utils.benchmark import Timer

from msaf_bench.analyzers.speed.processes import measure_speed
from msaf_bench.analyzers.speed.tasks import SpeedConditions, SpeedTask
from msaf_bench.architectures import build
from msaf_bench.catalog import read_system

CLASSES, ROUNDS = 19, 3


def in_a_loop(net, clip) -> float:
    for count in range(200):
        if count == 5:
            begin = perf_counter()
        net(clip).logits.argmax(1)
    return 1000 * (perf_counter() - begin) / 195


def main() -> None:
    name, size = (*sys.argv[1:], *("msaf-r18", "64x128")[len(sys.argv) - 1 :])
    height, width = map(int, size.split("x"))
    conditions = SpeedConditions(
        size=(height, width), mode="clip", threads=1, processes=1, schedule="rounds"
    )
    task = SpeedTask(system=read_system(name), conditions=conditions, num_classes=CLASSES)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = build(name, CLASSES).eval()
    clip = torch.randn(1, net.frames, 3, height, width)
    timer = Timer("net(clip).logits.argmax(1)", globals={"net": net, "clip": clip}, num_threads=1)
    print(f"{name} {size}, ms     fps p50   fps mean      Timer    5 + 195")
    for number in range(ROUNDS):
        speed = measure_speed([task])[0]
        with torch.inference_mode():
            block, loop = (
                1000 * timer.blocked_autorange(min_run_time=5).median,
                in_a_loop(net, clip),
            )
        figures = (speed.latency.p50.value, speed.latency.mean, block, loop)
        print(
            f"round {number + 1:<13}" + "".join(f"{ms:>11.2f}" for ms in figures), dict(speed.flags)
        )


if __name__ == "__main__":
    main()
