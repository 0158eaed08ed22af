"""Recurrent cell that carries class scores along flow. Shapes: B batch, K classes, H W image."""

import torch
from torch import Tensor, nn

from msaf_bench.components.blocks.warp import warp
from msaf_bench.components.gauges import gauge, memory_share, saturated


class STGRU(nn.Module):
    """Spatio-temporal transformer GRU (Nilsson & Sminchisescu 2018): past and new scores -> scores.

    `prior` is subtracted from every probability, so that 0, the value outside the image, means
    "unknown". The weights start at six times the identity plus noise: according to the official
    code it does not train otherwise.
    """

    def __init__(self, num_classes: int, *, kernel: int, prior: float) -> None:
        super().__init__()
        self.prior = prior
        centre = kernel // 2
        self.error = nn.Conv2d(3, 1, kernel, padding=centre)
        self.new = nn.Conv2d(num_classes, num_classes, kernel, padding=centre, bias=False)
        self.past = nn.Conv2d(num_classes, num_classes, kernel, padding=centre, bias=False)
        self.new_gate = nn.Conv2d(num_classes, 1, kernel, padding=centre, bias=False)
        self.past_gate = nn.Conv2d(num_classes, 1, kernel, padding=centre, bias=False)
        self.gate_bias = nn.Parameter(torch.zeros(num_classes, 1, 1))
        self.decay = nn.Parameter(torch.tensor(2.0))  # lambda
        nn.init.normal_(self.error.weight, std=0.001)
        nn.init.zeros_(self.error.bias)  # pyright: ignore[reportArgumentType]
        for convolution in (self.new, self.past, self.new_gate, self.past_gate):
            nn.init.normal_(convolution.weight, std=0.01)
        with torch.no_grad():
            for convolution in (self.new, self.past):
                convolution.weight[:, :, centre, centre] += 6 * torch.eye(num_classes)

    def forward(
        self, scores: Tensor, image: Tensor, past: Tensor, reference: Tensor, flow: Tensor
    ) -> Tensor:
        """Return the new scores (B, K, H, W).

        Args:
            scores: Scores of the frame (B, K, H, W).
            image: The frame (B, 3, H, W), 0 to 255.
            past: Scores of the past (B, K, H, W).
            reference: The previous frame (B, 3, H, W), 0 to 255.
            flow: Flow (B, 2, H, W) from the frame to the previous one.
        """
        error = self.error(image - warp(reference, flow, outside="zeros"))
        trust = 1 - error.abs().tanh()  # low if flow does not explain the frame
        x = scores.softmax(1) - self.prior
        known = trust * warp(past.softmax(1) - self.prior, flow, outside="zeros")
        candidate = self.new(x) + self.past(known)
        update = (self.new_gate(x) + self.past_gate(known) + self.gate_bias).sigmoid()
        kept = self.decay * (1 - update) * known
        gauge("saturated", lambda: saturated(update))
        gauge("memory_share", lambda: memory_share(kept, update * candidate))
        return kept + update * candidate
