"""In the style of STT: the sparse temporal transformer (Li et al., ACM MM 2021).

Shapes: B batch, T frames, d width, K classes, H W image, h w grid (1/8), L = h w places, Q queries,
S keys per query.
"""

from functools import partial
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures.clip import newest
from msaf_bench.architectures.loss import AUXILIARY, supervised
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.architectures.single_frame import auxiliary_head
from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.gauges import gauge, memory_share
from msaf_bench.components.interfaces import Backbone, Head
from msaf_bench.errors import UsageError
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": (), "head": ("channels", "num_classes")}
#: side and stride of the keys around a query's place: in the last frame, in the one before
WINDOWS = ((7, 1), (11, 2))
MAX_QUERIES = 2**12  #: number of queries at once; all keys of each are gathered in memory


class STT(VideoNetwork):
    """Sparse attention of the newest frame to the two frames before it.

    Clip (B, T, 3, H, W) -> logits (B, K, H, W) of the newest frame. `entry` projects F5 to
    d channels. `temporal` updates the places that differ most from the last frame, by F3. The head
    reads the result as its F5. In training an auxiliary head reads F4.
    """

    frames = 1 + len(WINDOWS)
    training_only: tuple[str, ...] = ("auxiliary",)

    def __init__(
        self,
        *,
        backbone: nn.Module,
        entry: nn.Module,
        temporal: "SparseAttention",
        head: Head,
        auxiliary: nn.Module,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.entry = entry
        self.temporal = temporal
        self.head = head
        self.auxiliary = auxiliary

    def forward(self, clip: Tensor) -> Output:
        stages = Stages(*self.backbone(newest(clip, self.frames).flatten(0, 1)))
        features = self._of_clips(self.entry(stages.f5))
        now = Stages(*(self._of_clips(f)[:, -1] for f in stages))
        memory = torch.stack(
            [self.temporal.remember(features[:, t]) for t in reversed(range(self.frames - 1))], 1
        )
        logits = self.decode(now, features[:, -1], self._of_clips(stages.f3)[:, -2], memory, clip)
        return Output(logits, {"auxiliary": self.auxiliary(now.f4)} if self.training else {})

    def _of_clips(self, x: Tensor) -> Tensor:
        """Reshape (B T, ...) to (B, T, ...)."""
        return x.view(-1, self.frames, *x.shape[1:])

    def decode(
        self, stages: Stages, features: Tensor, last: Tensor, memory: Tensor, frames: Tensor
    ) -> Tensor:
        """Return logits of the frames' size.

        Args:
            stages: Stages of the newest frame.
            features: Entry features of the newest frame (B, d, h, w).
            last: F3 of the last frame.
            memory: Keys and values of both past frames, newest first (B, T, L, d / 4 + d).
            frames: Frames of the wanted size (..., H, W).
        """
        mixed = self.temporal(features, change(stages.f3, last), memory)
        return resize(self.head(stages._replace(f5=mixed)), frames)

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the cross-entropy, plus 0.4 of the auxiliary head's."""
        return supervised(out, labels, AUXILIARY)

    def stream(self) -> "STTStream":
        """Return the stream of one video.

        It keeps keys and values of the past frames, and F3 of the last one.
        """
        return STTStream(self)


class STTStream:
    """Stream of one video; the first frame also stands for the missing frames before it."""

    cycle = 1

    def __init__(self, net: STT) -> None:
        self.net = net
        self.reset()

    def reset(self) -> None:
        """Forget the video."""
        self.last: Tensor | None = None
        self.memory: list[Tensor] = []

    def step(self, frame: Tensor) -> Tensor:
        """Return logits (B, K, H, W) for the next frame (B, 3, H, W)."""
        net = self.net
        stages = Stages(*net.backbone(frame))
        features = net.entry(stages.f5)
        own = net.temporal.remember(features)
        past = self.memory or [own] * (net.frames - 1)
        last = stages.f3 if self.last is None else self.last
        logits = net.decode(stages, features, last, torch.stack(past, 1), frame)
        self.memory, self.last = [own, *past[:-1]], stages.f3
        return logits


class SparseAttention(nn.Module):
    """Attention to windows of past frames, at the places with the largest change.

    Features of the newest frame (B, d, h, w) -> the same shape. It is a pre-norm block of one
    layer. Only the `share` of places with the largest change (B, h, w) make queries; all other
    places stay unchanged. `memory` (B, T, L, d / 4 + d) contains keys and values of the past
    frames, newest first.
    """

    def __init__(self, width: int, *, heads: int, share: float) -> None:
        super().__init__()
        self.heads, self.share = heads, share
        self.key_width = width // 4
        self.norm1 = nn.LayerNorm(width)
        self.query = nn.Linear(width, self.key_width)
        self.key_value = nn.Linear(width, self.key_width + width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def remember(self, features: Tensor) -> Tensor:
        """Return keys and values (N, L, d / 4 + d) for features (N, d, h, w)."""
        return self.key_value(self.norm1(_tokens(features)))

    def forward(self, features: Tensor, changes: Tensor, memory: Tensor) -> Tensor:
        b, d, h, w = features.shape
        tokens = _tokens(features)
        places = changes.flatten(1).topk(ceil(self.share * h * w)).indices  # B, Q
        index = places.unsqueeze(2).expand(-1, -1, d)
        x = tokens.gather(1, index)
        keys, inside = windows(places, (h, w))
        # the table is flat over the batch
        keys = keys + memory.shape[1] * h * w * torch.arange(b, device=keys.device).view(b, 1, 1)
        read = self.out(self._attend(self.query(self.norm1(x)), keys, inside, memory))
        gauge("memory_share", partial(memory_share, read, x))
        x = x + read
        x = x + self.mlp(self.norm2(x))
        return tokens.scatter(1, index, x.to(tokens.dtype)).transpose(1, 2).reshape(b, d, h, w)

    def _attend(self, queries: Tensor, keys: Tensor, inside: Tensor, memory: Tensor) -> Tensor:
        """Return attended values (B, Q, d) for queries (B, Q, d / 4).

        `keys` (B, Q, S) are the places of each query's keys in `memory` (B, T, L, d / 4 + d).
        """
        table = memory.flatten(0, 2)
        flat = [x.flatten(0, 1) for x in (queries, keys, inside)]
        parts = [
            [x[i : i + MAX_QUERIES] for x in flat] for i in range(0, len(flat[0]), MAX_QUERIES)
        ]
        return torch.cat(
            [self._attend_some(q, table[place], mask) for q, place, mask in parts]
        ).view(*queries.shape[:2], -1)

    def _attend_some(self, queries: Tensor, key_value: Tensor, inside: Tensor) -> Tensor:
        """Return attended values (Q, d) for queries (Q, d / 4).

        Their keys and values are (Q, S, d / 4 + d); `inside` (Q, S) marks places on the map.
        """
        n, keys, _ = key_value.shape
        key, value = (
            key_value[..., part].reshape(n, keys, self.heads, -1).transpose(1, 2)
            for part in (slice(self.key_width), slice(self.key_width, None))
        )
        query = queries.view(n, self.heads, 1, -1)
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask=inside[:, None, None]
        ).flatten(1)


def change(newest: Tensor, last: Tensor) -> Tensor:
    """Return 1 minus the cosine (B, h, w) of two frames' features (B, C, h, w).

    The result is exactly 0 at places with equal features.
    """
    difference = functional.normalize(newest.detach(), dim=1) - functional.normalize(
        last.detach(), dim=1
    )
    return difference.square().sum(1) / 2


def windows(places: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the places of the keys (B, Q, S) of queries (B, Q), and flags of places on the map.

    The grid has the size `size`. Places count through the past frames, one after the other.
    """
    h, w = size
    offsets = [
        (frame, dy, dx)
        for frame, (side, stride) in enumerate(WINDOWS)
        for dy in range(-(side // 2), side // 2 + 1, stride)
        for dx in range(-(side // 2), side // 2 + 1, stride)
    ]
    frame, dy, dx = torch.tensor(offsets, device=places.device).unbind(1)
    row, column = (places // w).unsqueeze(2) + dy, (places % w).unsqueeze(2) + dx
    inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
    return (frame * h + row.clamp(0, h - 1)) * w + column.clamp(0, w - 1), inside


def _tokens(x: Tensor) -> Tensor:
    """Reshape (N, d, h, w) to tokens (N, L, d)."""
    return x.flatten(2).transpose(1, 2)


def stt(
    make: Make, num_classes: int, *, width: int = 256, heads: int = 4, share: float = 0.5
) -> STT:
    """Build STT with a backbone and a head.

    Args:
        make: Builds the component of a slot.
        num_classes: Number of classes K.
        width: Channels d.
        heads: Number of attention heads; must divide a quarter of `width`, the width of the keys.
        share: Share of places that make queries, in (0, 1].

    Raises:
        UsageError: `heads` or `share` is out of range.
    """
    if width % (4 * heads):
        raise UsageError(f"heads = {heads} does not divide {width} / 4; choose a divisor")
    if not 0 < share <= 1:
        raise UsageError(f"share = {share:g}; give a number above 0 and at most 1")
    backbone: Backbone = make("backbone")
    c3, c4, c5 = backbone.channels
    return STT(
        backbone=backbone,
        entry=conv_bn_relu(c5, width),
        temporal=SparseAttention(width, heads=heads, share=share),
        head=make("head", channels=(c3, c4, width), num_classes=num_classes),
        auxiliary=auxiliary_head(backbone.channels[1], num_classes),
    )


ARCHITECTURE = Architecture(SLOTS, stt)
