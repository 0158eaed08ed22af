"""TDNet: temporally distributed networks (Hu et al., CVPR 2020).

Sub-networks take turns and pass values on to the next frame. Shapes: B batch, T frames, C channels,
k width of queries, d width of values, K classes, H W image, h w grid (1/8).
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures.clip import newest
from msaf_bench.architectures.loss import cross_entropy
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.architectures.tdnet.propagation import Path, QueryKeyValue, group_alone
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.gauges import gauge, memory_share
from msaf_bench.components.heads import FCN
from msaf_bench.components.interfaces import Backbone, Head, Teacher
from msaf_bench.components.whole_batch import draw, mean_of, of_all
from msaf_bench.errors import UsageError
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make
from msaf_bench.spec import VOID

SLOTS = {"backbone": (), "head": ("channels", "num_classes"), "teacher": ("num_classes",)}


class TDNet(VideoNetwork):
    """Sub-network t mod P on frame t, with attention to the values of past frames.

    Clip (B, T, 3, H, W) -> logits (B, K, H, W) of the newest of P frames, which has the last turn.
    In training the turn of the newest frame is drawn at random in each call; only the attention,
    norm and head of that turn have a gradient. A teacher, if any, reads that frame alone.
    """

    backbone: nn.ModuleList
    training_only = ("auxiliary", "teacher")
    batchwise_loss = True

    def __init__(
        self,
        *,
        backbone: nn.ModuleList,
        paths: nn.ModuleList,
        auxiliary: nn.ModuleList,
        teacher: Teacher,
        strides: tuple[int, int],
    ) -> None:
        super().__init__()
        self.backbone = backbone  # pyright: ignore[reportIncompatibleVariableOverride]
        self.paths = paths
        self.auxiliary = auxiliary
        self.teacher = teacher
        self.frames = len(paths)
        self.strides = strides

    def parts(self) -> dict[str, list[nn.Module]]:
        """Return the modules of the sub-networks by task.

        In one step the attention, norms and heads of all turns except one rest.
        """
        paths = [self.path(turn) for turn in range(self.frames)]
        return {
            "backbone": list(self.backbone),
            "encoding": [module for path in paths for module in (path.pyramid, path.encoding)],
            "propagation": [path.propagation for path in paths],
            # Without the norm: a smaller map uses, and trains, only a few places of the grid that
            # stores its affine.
            "head": [path.head for path in paths],
        }

    def path(self, turn: int) -> Path:
        """Return the layers of a turn behind its backbone."""
        return cast("Path", self.paths[turn])

    @property
    def stride(self) -> int:
        """Stride of kept past frames along rows and columns of the grid.

        `strides` has the value for training, then the value for evaluation.
        """
        return self.strides[0] if self.training else self.strides[1]

    def forward(self, clip: Tensor) -> Output:
        *old, new = newest(clip, self.frames).unbind(1)
        turn = draw(self.frames) if self.training else self.frames - 1
        past = [self.remember(frame, (turn + 1 + i) % self.frames) for i, frame in enumerate(old)]
        path = self.path(turn)
        stages = Stages(*self.backbone[turn](new))
        features = path.features(stages)
        value = path.encoding.value(features)
        handed = path.propagate(past, path.encoding.query(features))
        gauge(
            "memory_share",
            lambda: memory_share(_centred(handed), _centred(value)),
            part="propagation",
        )
        logits = path.classify(value + handed)
        if not self.training:
            return Output(resize(logits, clip, corners=True), {})
        aux = {
            "grid": logits,
            "alone": path.classify(value),
            "auxiliary": self.auxiliary[turn](stages.f4),
        }
        return Output(resize(logits, clip, corners=True), aux | self.teach(new, turn))

    def remember(self, frame: Tensor, turn: int) -> QueryKeyValue:
        """Return the maps of a past frame (B, 3, H, W) for later frames."""
        path = self.path(turn)
        features = path.features(Stages(*self.backbone[turn](frame)))
        return path.encoding(features[..., :: self.stride, :: self.stride])

    def teach(self, frame: Tensor, turn: int) -> dict[str, Tensor]:
        """Return the teacher's logits (B, K, h, w) of a frame (B, 3, H, W), by name.

        "teacher" trains the teacher; "whole" and "group" are the targets of the student, from the
        whole pyramid and from one group. The targets come from a head in evaluation mode, and no
        frame counts twice in its running statistics.
        """
        if not self.teacher.active:
            return {}
        pyramid, logits = self.teacher(frame)
        self.teacher.eval()
        with torch.no_grad():
            taught = {
                "whole": self.teacher.classify(pyramid),
                "group": self.teacher.classify(group_alone(pyramid, turn, self.frames)),
            }
        self.teacher.train()
        return {"teacher": logits, **taught}

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the cross-entropy of hard pixels, with the auxiliary terms.

        The terms are the result, 0.5 of the newest frame alone and 0.1 of the auxiliary head. A
        teacher adds the divergence from it, 0.5 of the divergence of the newest frame alone from
        one group of channels, and the teacher's own cross-entropy.
        """
        aux, total = out.aux, hard_cross_entropy(out.logits, labels)
        if "alone" in aux:
            total = (
                total
                + 0.5 * hard_cross_entropy(aux["alone"], labels)
                + 0.1 * hard_cross_entropy(aux["auxiliary"], labels)
            )
        if "teacher" in aux:
            total = (
                total
                + divergence(aux["grid"], aux["whole"])
                + 0.5 * divergence(aux["alone"], aux["group"])
            )
            total = total + cross_entropy(aux["teacher"], labels)
        return total

    def stream(self) -> "TDNetStream":
        """Return the stream of one video; it keeps the past frames' maps and the turn."""
        return TDNetStream(self)


class TDNetStream:
    """Stream of one video, frame by frame.

    Until there are enough past frames, the newest one is classified alone.
    """

    def __init__(self, net: TDNet) -> None:
        self.net = net
        self.cycle = net.frames
        self.reset()

    def reset(self) -> None:
        """Forget the video."""
        self.past: list[QueryKeyValue] = []
        self.turn = 0

    def step(self, frame: Tensor) -> Tensor:
        """Return logits (B, K, H, W) for the next frame (B, 3, H, W)."""
        path = self.net.path(self.turn)
        features = path.features(Stages(*self.net.backbone[self.turn](frame)))
        query, value = path.encoding.query(features), path.encoding.value(features)
        full = len(self.past) == self.cycle - 1
        logits = path.classify(value + path.propagate(self.past, query) if full else value)
        query, value, features = (
            x[..., :: self.net.stride, :: self.net.stride].contiguous()
            for x in (query, value, features)
        )
        window = [*self.past, QueryKeyValue(query, path.encoding.key(features), value)]
        self.past = window[-(self.cycle - 1) :]
        self.turn = (self.turn + 1) % self.cycle
        return resize(logits, frame, corners=True)


def _centred(x: Tensor) -> Tensor:
    """Subtract the mean of each plane from a map (..., h, w), as the norm before the head does.

    Attention that is equal everywhere leaves 0.
    """
    return x - x.mean((-2, -1), keepdim=True)


def hard_cross_entropy(
    logits: Tensor, labels: Tensor, *, sure: float = 0.7, least: int = 16
) -> Tensor:
    """Return the mean cross-entropy over the hard pixels.

    A pixel is hard if the probability of its true class is below `sure`. At least 1 in `least`
    pixels counts as hard; void pixels never do.

    Args:
        logits: Logits (B, K, h, w).
        labels: Labels (B, H, W).
        sure: Probability from which a pixel is no longer hard.
        least: Inverse of the minimum share of hard pixels.
    """
    losses = functional.cross_entropy(
        resize(logits, labels, corners=True), labels, ignore_index=VOID, reduction="none"
    )
    unlabelled = labels == VOID
    everyone = of_all(losses.masked_fill(unlabelled, -1))
    hardest = everyone.clamp(min=0).flatten().topk(max(1, everyone.numel() // least)).values[-1]
    bound = hardest.clamp(max=-math.log(sure))
    hard = ~unlabelled & (losses >= bound)
    return mean_of((losses * hard).sum(), (everyone >= bound).sum())


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return KL(teacher || student) of logits (B, K, h, w), averaged over the pixels."""
    wanted, found = (functional.log_softmax(logits, 1) for logits in (teacher, student))
    return functional.kl_div(found, wanted, reduction="none", log_target=True).sum(1).mean()


def tdnet(
    make: Make,
    num_classes: int,
    *,
    paths: int = 4,
    width: int = 512,
    key_width: int = 64,
    dropout: float = 0.1,
    kv_stride: int = 4,
    train_kv_stride: int = 3,
    norm_size: tuple[int, int] = (97, 193),
) -> TDNet:
    """Build TDNet with a backbone and head for each sub-network.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        paths: Number of sub-networks; 4 and 2 are published.
        width: Channels d of the values.
        key_width: Channels k of keys and queries.
        dropout: Dropout of the attention.
        kv_stride: Stride of the kept rows and columns of past frames.
        train_kv_stride: Stride of the kept rows and columns in training.
        norm_size: Grid that stores the affine of the norm before each head; the default is the grid
            of 769 x 1537.

    Raises:
        UsageError: `paths` is below 2.
    """
    if paths < 2:
        raise UsageError(f"paths = {paths}; give at least 2 (4 and 2 are published)")
    backbones: list[Backbone] = [make("backbone") for _ in range(paths)]
    channels = backbones[0].channels

    def path(index: int) -> Path:
        head: Head = make("head", channels=(width, width, width), num_classes=num_classes)
        return Path(
            index,
            paths - 1,
            channels[2],
            head=head,
            key_width=key_width,
            width=width,
            dropout=dropout,
            norm_size=norm_size,
        )

    return TDNet(
        backbone=nn.ModuleList(backbones),
        paths=nn.ModuleList(path(i) for i in range(paths)),
        auxiliary=nn.ModuleList(
            FCN(channels[1], num_classes, width=channels[1] // 4) for _ in range(paths)
        ),
        teacher=make("teacher", num_classes=num_classes),
        strides=(train_kv_stride, kv_stride),
    )


ARCHITECTURE = Architecture(SLOTS, tdnet)
