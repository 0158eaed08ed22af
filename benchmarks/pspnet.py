"""Latency of PSPNet-18 compared with the same layers as plain torch calls, in alternating rounds.

    python benchmarks/pspnet.py [HxW]

The package should add no overhead. One thread, batch 1, fp32, equal random weights. The outputs are
compared first.
"""

import statistics
import sys
from time import perf_counter

import torch
from torch import Tensor
from torch.nn import functional

from msaf_bench.architectures import build

ROUNDS = 21


def plain(p: dict[str, Tensor], image: Tensor) -> Tensor:
    """Compute PSPNet-18 in the form of ETC, from the network's tensors by name."""

    def conv(x: Tensor, name: str, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = p[f"{name}.weight"]
        return functional.conv2d(
            x, weight, p.get(f"{name}.bias"), stride, dilation * (weight.shape[-1] // 2), dilation
        )

    def norm(x: Tensor, name: str) -> Tensor:
        return functional.batch_norm(
            x, *(p[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        )

    x = functional.relu_(norm(conv(image, "backbone.conv1", 2), "backbone.bn1"))
    x = functional.max_pool2d(x, 3, 2, 1)
    for layer, stride, dilation in ((1, 1, 1), (2, 2, 1), (3, 1, 2), (4, 1, 4)):
        for block in range(2):
            name = f"backbone.layer{layer}.{block}"
            step = 1 if block else stride
            y = functional.relu_(norm(conv(x, f"{name}.conv1", step), f"{name}.bn1"))
            y = norm(conv(y, f"{name}.conv2", 1, dilation), f"{name}.bn2")
            if f"{name}.downsample.0.weight" in p:
                x = norm(conv(x, f"{name}.downsample.0", step), f"{name}.downsample.1")
            y += x
            x = functional.relu_(y)
    size, levels = x.shape[-2:], [x]
    for index, bins in enumerate((1, 2, 3, 6)):
        y = functional.adaptive_avg_pool2d(x, bins)
        y = functional.relu_(
            norm(conv(y, f"head.pyramid.branches.{index}.0"), f"head.pyramid.branches.{index}.1")
        )
        levels.append(functional.interpolate(y, size, mode="bilinear", align_corners=True))
    x = functional.relu_(norm(conv(torch.cat(levels, 1), "head.mix.0"), "head.mix.1"))
    x = conv(x, "head.classifier")
    return functional.interpolate(x, image.shape[-2:], mode="bilinear", align_corners=True)


def main() -> None:
    height, width = map(int, (sys.argv[1] if len(sys.argv) > 1 else "512x1024").split("x"))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = build("pspnet18", 19).eval()
    tensors = dict(net.state_dict())
    clip = torch.randn(1, 1, 3, height, width)
    calls = {
        "msaf-bench": lambda: net(clip).logits,
        "plain torch": lambda: plain(tensors, clip[:, -1]),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    with torch.inference_mode():
        torch.testing.assert_close(*(call() for call in calls.values()))
        for number in range(ROUNDS):
            for name in sorted(calls, reverse=bool(number % 2)):
                begin = perf_counter()
                calls[name]()
                times[name].append(1000 * (perf_counter() - begin))
    for name, found in times.items():
        print(f"{name:12} median {statistics.median(found):8.1f} ms   least {min(found):8.1f} ms")
    ratios = [ours / theirs for ours, theirs in zip(*times.values(), strict=True)]
    print(f"ratio        median {statistics.median(ratios):8.3f} of {ROUNDS} rounds")


if __name__ == "__main__":
    main()
