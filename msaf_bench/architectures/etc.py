"""ETC: a single-frame network trained for temporal consistency (Liu et al., ECCV 2020).

The paper's title is Efficient Semantic Video Segmentation with Per-frame Inference. Shapes:
B batch, T frames, C channels, K classes, H W image, h w grid (1/8), N = h w.
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
    """A head with a 3x3 convolution `mix` that reads a distillable context."""

    mix: nn.Module

    def context(self, stages: Stages) -> Tensor:
        """Return the input of `mix`, (N, C, h, w)."""
        ...


class ETC(SingleFrame):
    """`SingleFrame`, trained with a motion loss and, with a teacher, by distillation.

    A clip of one frame has no neighbour: it is trained without the motion loss, and distillation
    reads that frame alone.
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
        """Return the teacher's logits of the newest frame, and the distillation loss.

        `frames`, `contexts` and `logits` start with the newest frame.
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
        """Return the memory's state after the self-similarity of all frames, newest last."""
        return self.memory([self_similarity(x, self.pool) for x in reversed(contexts)])

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the loss of `SingleFrame` plus the teacher's, motion and distillation loss.

        The teacher's loss is its cross-entropy. The other two are already weighted.
        """
        total = super().loss(out, labels)
        if "teacher" in out.aux:
            total = total + cross_entropy(out.aux["teacher"], labels)
        return sum((out.aux[name] for name in ("motion", "distillation") if name in out.aux), total)


class ConvLSTM(nn.Module):
    """Sequence of maps (B, 1, n, n) -> last hidden state and cell (B, 8, n, n) (Shi et al. 2015).

    Its weights stay random: learnt together with the student they would tend to 0, which makes all
    sequences equal.
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
    """Return the mean squared difference of a frame's logits and its neighbour's warped logits.

    Logits are (B, K, H, W), flow is (B, 2, H, W). The weight of a pixel is exp(-|sum of the colour
    difference|) between the frame and the warped neighbour.
    """
    here, there = (torch.cat(pair, 1) for pair in zip(frames, logits, strict=True))
    difference = here - warp(there, flow)
    weight = torch.exp(-difference[:, :3].sum(1, keepdim=True).abs())
    return (weight * difference[:, 3:]).square().mean()


def logit_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of logits (B, K, h, w) from the teacher's.

    The sum is divided by B K h w, as in the released code.
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
    """Return the mean squared difference of N x N pixel cosines, student against teacher.

    The cosines are between the pixels of two maps (B, K, h, w). No N x N matrix is built: the sum
    of squares of A'B is the sum of AA' times BB', both K x K. With `literal` each pixel is divided
    by the norm of the pixel at the same place in the other map, as in the released code.
    """
    # full precision, because large terms cancel
    with torch.autocast(student[0].device.type, enabled=False):
        (a, b), (c, d) = (_columns(pair, literal=literal) for pair in (student, teacher))
        total = _product(a, a, b, b) - 2 * _product(a, c, b, d) + _product(c, c, d, d)
    return total.clamp(min=0) / (a.shape[0] * a.shape[2] ** 2)


def self_similarity(x: Tensor, pool: int) -> Tensor:
    """Return the cosines (B, 1, n, n) between the cell means of a map (B, C, h, w).

    A cell has `pool` x `pool` pixels, or fewer if the map is smaller.
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
    """Return the sum of the elementwise product of A'B and C'D, from columns (B, K, N)."""
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
    """Build ETC with a backbone, head, flow and teacher.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        corners: Align the corners when logits are enlarged.
        auxiliary: Weight of the auxiliary head; 0 for none.
        motion: Weight of the motion loss.
        distillation: Weight of the distillation loss.
        pool: Side of the cells of the self-similarity, in pixels.
        literal: Normalise cosines as the released code does.

    Raises:
        UsageError: The head has no context to distil.
    """
    network = single_frame.parts(make, num_classes, corners=corners, auxiliary=auxiliary)
    if not offers(network["head"], DistillableHead):
        raise UsageError(
            "etc distils the input of a head's 3x3 convolution; choose a head with one: psp or fcn"
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
