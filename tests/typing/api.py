"""The Python API as a user writes it; `test_typing.py` has pyright check it in strict mode."""

from fractions import Fraction
from typing import assert_type

import torch
from torch import Tensor

import msaf_bench as mb

version: str = mb.__version__
net = mb.build("msaf-r18", num_classes=11)
assert_type(net, mb.VideoNetwork)
clip = torch.rand(1, net.frames, 3, 64, 96)
frame = clip[:, -1]

out = net(clip)
assert_type(out.logits, Tensor)
assert_type(out.aux, dict[str, Tensor])
assert_type(net.loss(out, torch.zeros(1, 64, 96, dtype=torch.long)), Tensor)

video = net.stream()
assert_type(video.step(frame), Tensor)
assert_type(video.cycle, int)
video.reset()
net.to("cpu").eval().train()

system = mb.read_system("msaf-r18")
assert_type(mb.build(system, 11, plugins=["my_package"]), mb.VideoNetwork)

run = mb.load_run("reports/reference/table3-street-quick")
assert_type(run, mb.Run)
columns: list[str] = list(run.frame().columns)
means: list[float] = [row.interval.mean for row in run.summary().rows if row.interval]
trained: mb.Run = mb.ablate("table3", data="street", preset="smoke", seeds=1, on="local")
ratio: Fraction = mb.attention_cost("97x97").sizes[0].analytic.paper.ratio
gmacs: float = mb.cost(net, (64, 96)).gmacs
iou: float | None = mb.score_miou("predictions", "labels", classes="cityscapes19").miou
known: float | None = mb.score_miou("maps", data="vspw", root="VSPW_480p", split="val").miou
vc: float | None = mb.score_tc("maps", data="mine.toml", preset="vc8", skip_bad=True).tc
tc: float | None = mb.score_tc("predictions", "frames", preset="clean").tc
scored: float = mb.evaluate(net, "street", preset="smoke").miou
