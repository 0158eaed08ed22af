"""ETC: a network of one frame, trained to be consistent over time (Liu et al., Efficient Semantic
Video Segmentation, ECCV 2020).

Shapes: B batch, T frames, C channels, K classes, H W image, h w grid (1/8), N = h w.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures import single_frame
from msaf_bench.architectures.loss import AUXILIARY_WEIGHT, cross_entropy
from msaf_bench.architectures.single_frame import SingleFrame, neighbours
from msaf_bench.components.blocks.warp import resize_flow, warp
from msaf_bench.components.interfaces import Flow, Teacher, offers
from msaf_bench.errors import UsageError
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {
    "backbone": (),
    "head": ("channels", "num_classes"),
    "flow": (),
    "teacher": ("num_classes",),
}


class DistillableHead(Protocol):
    """A head whose 3x3 convolution `mix` reads a context that can be distilled."""

    mix: nn.Module

    def context(self, stages: Stages) -> Tensor:
        """Stages -> (N, C, h, w), the input of `mix`."""
        ...


class ETC(SingleFrame):
    """`SingleFrame`; in training also the motion loss and, with a teacher, what it distils.

    A clip of one frame has no neighbour to be consistent with: it is trained without those terms.
    """

    training_only: tuple[str, ...] = ("auxiliary", "flow", "teacher", "memory")

    def __init__(
        self,
        *,
        flow: Flow,
        teacher: Teacher,
        weights: tuple[float, float],
        pool: int,
        literal: bool,
        **network: Any,
    ) -> None:
        super().__init__(**network)
        self.flow = flow.requires_grad_(False)
        self.teacher = teacher
        self.memory = ConvLSTM().requires_grad_(False)
        self.motion, self.distillation = weights
        self.pool = pool
        self.literal = literal

    def forward(self, clip: Tensor) -> Output:
        if not self.training:
            return super().forward(clip)
        frames = [clip[:, -1], *neighbours(clip, 2 if self.teacher.active else 1)]
        b = clip.shape[0]
        stages = Stages(*self.backbone(torch.cat(frames)))
        assert offers(self.head, DistillableHead)
        context = self.head.context(stages)
        logits = torch.split(self.head.classify(self.head.mix(context)), b)
        aux = self.supervise(Stages(*(f[:b] for f in stages)))
        large = [self.enlarge(x, clip) for x in logits[:2]]
        if len(frames) > 1:
            with torch.no_grad():
                flow = resize_flow(self.flow(*frames[:2]), (clip.shape[-2], clip.shape[-1]))
            aux["motion"] = self.motion * motion_loss(
                (large[0], large[1]), (frames[0], frames[1]), flow
            )
        if self.teacher.active:
            aux |= self._learn(frames, torch.split(context, b), logits)
        return Output(large[0], aux)

    def _learn(
        self, frames: Sequence[Tensor], contexts: Sequence[Tensor], logits: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """The teacher's logits of the newest frame, which is the first here, and the sum of what it
        teaches.
        """
        context, mask = self.teacher(frames[0])
        with torch.no_grad():
            past = [self.teacher(frame) for frame in frames[1:]]
        soft_contexts = [context.detach(), *(taught for taught, _ in past)]
        soft = [mask.detach(), *(taught for _, taught in past)]
        contexts = [self.enlarge(x, mask) for x in contexts]
        logits = [self.enlarge(x, mask) for x in logits]
        loss = logit_loss(logits[0], soft[0]) + 2 * functional.mse_loss(
            self._remember(contexts), self._remember(soft_contexts)
        )
        if past:
            loss += logit_loss(logits[1], soft[1])
            loss += pairwise_loss((logits[0], logits[1]), (soft[0], soft[1]), literal=self.literal)
        return {"teacher": mask, "distillation": self.distillation * loss}

    def _remember(self, contexts: Sequence[Tensor]) -> Tensor:
        """What the memory holds once it has read the self-similarity of the past frames, and of the
        newest one last.
        """
        return self.memory([self_similarity(x, self.pool) for x in reversed(contexts)])

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """The loss of `SingleFrame`, the teacher's cross-entropy, and, weighted already, the motion
        loss and what is distilled.
        """
        total = super().loss(out, labels)
        if "teacher" in out.aux:
            total = total + cross_entropy(out.aux["teacher"], labels)
        return sum((out.aux[name] for name in ("motion", "distillation") if name in out.aux), total)


class ConvLSTM(nn.Module):
    """Sequence of maps (B, 1, n, n) -> its last hidden state and cell (B, 8, n, n) (Shi et al.
    2015).

    Its weights stay random: learnt together with the student they would tend to 0, where every
    sequence is equal.
    """

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.gates = nn.Conv2d(1 + width, 4 * width, 3, padding=1)
        self.width = width

    def forward(self, sequence: Sequence[Tensor]) -> Tensor:
        hidden = cell = sequence[0].new_zeros(
            sequence[0].shape[0], self.width, *sequence[0].shape[-2:]
        )
        for x in sequence:
            write, keep, show, value = self.gates(torch.cat((x, hidden), 1)).chunk(4, 1)
            cell = torch.sigmoid(keep) * cell + torch.sigmoid(write) * torch.tanh(value)
            hidden = torch.sigmoid(show) * torch.tanh(cell)
        return torch.cat((hidden, cell), 1)


def motion_loss(
    logits: tuple[Tensor, Tensor], frames: tuple[Tensor, Tensor], flow: Tensor
) -> Tensor:
    """Mean squared difference of the logits (B, K, H, W) of a frame and those of its neighbour,
    brought along flow (B, 2, H, W).

    Both are weighted by exp(-|sum of the difference of the colours|) of the frame and the
    neighbour, brought alike.
    """
    here, there = (torch.cat(pair, 1) for pair in zip(frames, logits, strict=True))
    difference = here - warp(there, flow)
    weight = torch.exp(-difference[:, :3].sum(1, keepdim=True).abs())
    return (weight * difference[:, 3:]).square().mean()


def logit_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Kullback-Leibler divergence of logits (B, K, h, w) from the teacher's, divided by all B K h w
    numbers as released.
    """
    return (
        functional.kl_div(
            functional.log_softmax(student, 1), functional.softmax(teacher, 1), reduction="sum"
        )
        / student.numel()
    )


def pairwise_loss(
    student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor], *, literal: bool = False
) -> Tensor:
    """Mean squared difference of the N x N cosines between the pixels of two maps (B, K, h, w), the
    student's and the teacher's.

    No N x N matrix is made: the sum of squares of A'B is that of the K x K matrices AA' times BB'.
    `literal` divides as the released code does, each pixel by the norm of the pixel at its place in
    the other map.
    """
    # what cancels here needs all digits
    with torch.autocast(student[0].device.type, enabled=False):
        (a, b), (c, d) = (_columns(pair, literal=literal) for pair in (student, teacher))
        total = _product(a, a, b, b) - 2 * _product(a, c, b, d) + _product(c, c, d, d)
    return total.clamp(min=0) / (a.shape[0] * a.shape[2] ** 2)


def self_similarity(x: Tensor, pool: int) -> Tensor:
    """Map (B, C, h, w) -> cosines (B, 1, n, n) between its means over cells of `pool` pixels, fewer
    where the map is smaller.
    """
    side = (min(pool, x.shape[-2]), min(pool, x.shape[-1]))
    cells = functional.normalize(functional.avg_pool2d(x, side).flatten(2), dim=1)
    return (cells.transpose(1, 2) @ cells)[:, None]


def _columns(pair: tuple[Tensor, Tensor], *, literal: bool) -> tuple[Tensor, Tensor]:
    one, other = (x.flatten(2).to(torch.promote_types(x.dtype, torch.float32)) for x in pair)
    norm, other_norm = (
        x.square().sum(1, keepdim=True).clamp(min=1e-24).sqrt() for x in (one, other)
    )
    if literal:
        norm, other_norm = other_norm, norm
    return one / norm, other / other_norm


def _product(a: Tensor, c: Tensor, b: Tensor, d: Tensor) -> Tensor:
    """Sum of the elementwise product of the matrices A'B and C'D, from columns (B, K, N)."""
    return ((a @ c.transpose(1, 2)) * (b @ d.transpose(1, 2))).sum()


def etc(
    make: Make,
    num_classes: int,
    *,
    corners: bool = True,
    auxiliary: float = AUXILIARY_WEIGHT,
    motion: float = 0.1,
    distillation: float = 0.1,
    pool: int = 16,
    literal: bool = False,
) -> ETC:
    """ETC with the components that `make` gives, and the weights of its losses. Raises `UsageError`
    for a head that it cannot distil.
    """
    network = single_frame.parts(make, num_classes, corners=corners, auxiliary=auxiliary)
    if not offers(network["head"], DistillableHead):
        raise UsageError(
            "etc distils what a head's 3x3 convolution reads; give it a head that has one, psp"
            " or fcn"
        )
    teacher: Teacher = make("teacher", num_classes=num_classes)
    return ETC(
        flow=make("flow"),
        teacher=teacher,
        weights=(motion, distillation),
        pool=pool,
        literal=literal,
        **network,
    )


ARCHITECTURE = Architecture(SLOTS, etc)
