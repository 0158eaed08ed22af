"""Optimizer of a training: AdamW with a learning rate per part."""

import torch
from torch import Tensor

from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.spec import Conditions


def optimizer_of(net: VideoNetwork, conditions: Conditions) -> torch.optim.Optimizer:
    """Return AdamW with one group per learning rate; a frozen backbone is in no group."""
    own = {id(p) for p in net.backbone.parameters()}
    if conditions.backbone_rate == 0:
        net.backbone.requires_grad_(False)
    groups: dict[float, list[Tensor]] = {conditions.backbone_rate: [], 1.0: []}
    for name, weights in net.named_parameters():
        rate = conditions.backbone_rate if id(weights) in own else 1.0
        for part, factor in conditions.rates:
            rate *= factor if part in name.split(".") else 1.0
        if rate:
            groups.setdefault(rate, []).append(weights)
    held = [{"params": weights, "rate": rate} for rate, weights in groups.items() if weights]
    return torch.optim.AdamW(
        held, lr=conditions.lr, weight_decay=conditions.weight_decay, fused=True
    )
