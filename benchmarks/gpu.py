"""Outputs of networks on CUDA and the CPU, and cost of a training step at the size of `paper`.

    python benchmarks/gpu.py [--device cuda] [--quick]

Prints one JSON document per line. Frames are noise and weights are random. Times are means over the
second half of the steps.
"""

import argparse
import json
import time
from collections.abc import Iterator

import torch
from torch import Tensor

from msaf_bench.architectures import build
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.catalog import list_systems, read_system
from msaf_bench.errors import BenchError

CLASSES, FRAMES = 19, 3
STEPS = 6


def differences(device: str, height: int, width: int) -> Iterator[dict[str, object]]:
    """Compare the scores of the CPU and the device for one system per architecture.

    Yields the largest difference relative to the largest score, and the share of pixels with
    another class.
    """
    one_each = {read_system(name).architecture: name for name in list_systems()}
    for name in one_each.values():
        try:
            net = build(read_system(name), CLASSES).eval()
            frames = noise(1, height, width, net.frames)
            with torch.inference_mode():
                own = net(frames)[0]
                other = net.to(device)(frames.to(device))[0].cpu()
        except (RuntimeError, BenchError) as error:
            yield {"system": name, "error": str(error).splitlines()[0]}
            continue
        yield {
            "system": name,
            "difference": float((own - other).abs().max() / own.abs().max()),
            "other_class": float((own.argmax(1) != other.argmax(1)).float().mean()),
        }


def noise(batch: int, height: int, width: int, frames: int = FRAMES) -> Tensor:
    """Return frames of noise, equal at each call."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, frames, 3, height, width, generator=generator)


def training_step(
    name: str, device: str, batch: int, side: int, *, bf16: bool
) -> dict[str, object]:
    """Return the seconds per step and the peak memory, or the reason for a failure."""
    about: dict[str, object] = {"system": name, "batch": batch, "side": side, "bf16": bf16}
    try:
        net = build(read_system(name), CLASSES).to(device).train()
        optimizer = torch.optim.AdamW(net.parameters(), lr=6e-5, fused=True)
        frames = noise(batch, side, side).to(device)
        labels = torch.randint(CLASSES, (batch, side, side), device=device)
        reset(device)
        seconds = [step(net, optimizer, frames, labels, bf16=bf16) for _ in range(STEPS)]
    except torch.OutOfMemoryError:
        return {**about, "error": "out of memory", "peak_gib": peak(device)}
    late = seconds[STEPS // 2 :]
    return {**about, "seconds": sum(late) / len(late), "peak_gib": peak(device)}


def step(
    net: VideoNetwork,
    optimizer: torch.optim.Optimizer,
    frames: Tensor,
    labels: Tensor,
    *,
    bf16: bool,
) -> float:
    """Take one step and return its wall time in seconds."""
    begin = time.perf_counter()
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=bf16):
        loss = net.loss(net(frames), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    loss.item()  # waits for the device
    return time.perf_counter() - begin


def reset(device: str) -> None:
    """Reset the peak of allocated memory."""
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak(device: str) -> float | None:
    """Return the peak of allocated memory in GiB; None on a CPU."""
    return None if device == "cpu" else torch.cuda.max_memory_allocated() / 2**30


def main() -> None:
    """Print one line per measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small sizes, as a check that it runs")
    given = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    print(
        torch.__version__, torch.cuda.get_device_name() if given.device != "cpu" else "", flush=True
    )
    side, batches = (129, (1,)) if given.quick else (769, (1, 2, 4, 8))
    for found in differences(given.device, 128, 256):
        print(json.dumps(found), flush=True)
    for name in ("msaf-r18", "msaf-r50"):
        for tf32 in (False, True):
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
            for bf16 in (False, True) if tf32 else (False,):
                for batch in batches:
                    found = training_step(name, given.device, batch, side, bf16=bf16)
                    print(json.dumps({"tf32": tf32, **found}), flush=True)
                    if "error" in found:
                        break


if __name__ == "__main__":
    main()
