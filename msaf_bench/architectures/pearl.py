"""In the style of PEARL: predictive feature learning (Jin et al., ICCV 2017).

Shapes: B batch, T frames, C channels, d width of the head, K classes, H W image, h w grid (1/8).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from msaf_bench.architectures.clip import newest
from msaf_bench.architectures.loss import cross_entropy
from msaf_bench.architectures.network import VideoNetwork
from msaf_bench.architectures.stream import WindowStream
from msaf_bench.components.blocks.convolution import conv_bn_relu
from msaf_bench.components.blocks.resize import resize
from msaf_bench.components.gauges import gauge, memory_share
from msaf_bench.components.interfaces import Backbone, Head
from msaf_bench.errors import UsageError
from msaf_bench.ports import Output, Stages
from msaf_bench.registry import Architecture, Make

SLOTS = {"backbone": (), "head": ("channels", "num_classes")}
PAST_FRAMES = 4  #: number of frames read by the predictive encoder
ADVERSARIAL_WEIGHT = 0.01  #: weight of the generator's adversarial gradient


class PEARL(VideoNetwork):
    """A parser of the newest frame, steered by an encoder of the four frames before it.

    Clip (B, T, 3, H, W) -> logits (B, K, H, W) of the newest frame. `transform` projects the
    encoder's F5 to the d channels of the parser's features, and `steer` mixes both. In training the
    encoder's features alone must also predict the newest frame's labels. A generator must predict
    the frame itself from them, judged by a discriminator.
    """

    backbone: nn.ModuleList
    frames = PAST_FRAMES + 1
    training_only: tuple[str, ...] = ("generator", "discriminator")

    def __init__(
        self,
        *,
        parser: nn.Module,
        encoder: nn.Module,
        head: Head,
        transform: nn.Module,
        generator: nn.Module,
        discriminator: nn.Module,
    ) -> None:
        super().__init__()
        self.backbone = nn.ModuleList((parser, encoder))  # pyright: ignore
        self.head = head
        self.transform = transform
        self.steer = conv_bn_relu(2 * head.width, head.width, 3)
        self.generator = generator
        self.discriminator = discriminator

    def forward(self, clip: Tensor) -> Output:
        frames = newest(clip, self.frames)
        past, now = frames[:, :-1], frames[:, -1]
        parser, encoder = self.backbone
        predictive = Stages(*encoder(past.flatten(1, 2))).f5
        expected = self.transform(predictive)
        seen = self.head.features(Stages(*parser(now)))
        gauge("memory_share", lambda: memory_share(expected, seen), part="transform")
        features = self.steer(torch.cat((seen, expected), 1))
        logits = resize(self.head.classify(features), clip)
        if not self.training:
            return Output(logits, {})
        frame = resize(self.generator(predictive), clip)
        scores = {
            "real": self.discriminator(now),
            "fake": self.discriminator(reverse(frame, ADVERSARIAL_WEIGHT)),
        }
        return Output(
            logits,
            {"expected": self.head.classify(expected), "predicted": frame, "seen": now, **scores},
        )

    def loss(self, out: Output, labels: Tensor) -> Tensor:
        """Return the sum of all losses.

        It contains the cross-entropy of the result and of the prediction from the past, the error
        of the predicted frame and of its gradients, and the discriminator's loss. The generator
        gets its adversarial gradient through `reverse`.
        """
        total, aux = cross_entropy(out.logits, labels), out.aux
        if not aux:
            return total
        judged = functional.softplus(-aux["real"]).mean() + functional.softplus(aux["fake"]).mean()
        frame = functional.l1_loss(aux["predicted"], aux["seen"]) + gradient_difference(
            aux["predicted"], aux["seen"]
        )
        return total + cross_entropy(aux["expected"], labels) + frame + judged

    def stream(self) -> WindowStream[Tensor, Tensor]:
        """Return the stream of one video; it keeps the past frames."""
        return WindowStream(self.frames, lambda frame: (frame, frame), self._read)

    def _read(self, seen: Tensor, window: Sequence[Tensor], frame: Tensor) -> Tensor:
        return self(torch.stack(list(window), 1)).logits


class Generator(nn.Sequential):
    """Features (B, C, h, w) -> frame (B, 3, 8h, 8w).

    Three times, it doubles the size and applies a 3x3 convolution.
    """

    def __init__(self, channels: int, width: int) -> None:
        layers = list[nn.Module]()
        for inputs, outputs in ((channels, width), (width, width // 2), (width // 2, width // 4)):
            layers += (
                nn.Upsample(scale_factor=2, mode="bilinear"),
                *_convolution(inputs, outputs, 3, 1, nn.ReLU()),
            )
        super().__init__(*layers, nn.Conv2d(width // 4, 3, 3, padding=1))


class Discriminator(nn.Sequential):
    """PatchGAN of four layers: frame (B, 3, H, W) -> patch scores (B, 1, h, w) (Isola et al. 2017).

    Scores are high for real patches.
    """

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            *_convolution(width, 2 * width, 4, 2, nn.LeakyReLU(0.2)),
            *_convolution(2 * width, 4 * width, 4, 2, nn.LeakyReLU(0.2)),
            nn.Conv2d(4 * width, 1, 4, padding=1),
        )


def reverse(x: Tensor, weight: float) -> Tensor:
    """Return x with its gradient multiplied by -weight (Ganin and Lempitsky 2015).

    Layers before it ascend the loss that layers after it descend.
    """
    return x.detach() - weight * (x - x.detach())


def gradient_difference(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean difference of two images' gradient magnitudes (Mathieu et al. 2016).

    The mean is summed over both axes.
    """
    return sum(
        ((one.diff(dim=d).abs() - other.diff(dim=d).abs()).abs().mean() for d in (-2, -1)),
        one.new_zeros(()),
    )


def widened(backbone: Backbone, frames: int) -> Backbone:
    """Change a backbone to read `frames` stacked frames, 3 x frames channels.

    Its first weights start as a mean over the frames.
    """
    stem = backbone.get_submodule("conv1")
    first = stem[0] if isinstance(stem, nn.Sequential) else stem
    assert isinstance(first, nn.Conv2d)
    first.weight = nn.Parameter(first.weight.detach().repeat(1, frames, 1, 1) / frames)
    first.in_channels *= frames
    return backbone


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int, activation: nn.Module
) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        activation,
    )


def pearl(make: Make, num_classes: int, *, width: int = 256) -> PEARL:
    """Build PEARL on a head and two backbones.

    `width` is the number of channels of the generator's first layer; the discriminator's is a
    quarter of it. Raises `UsageError` if the backbone is not a ResNet or HRNet.
    """
    parser: Backbone = make("backbone")
    if not hasattr(parser, "conv1"):
        raise UsageError(
            "pearl stacks frames before a backbone's first convolution; choose a resnet or hrnet"
        )
    head: Head = make("head", channels=parser.channels, num_classes=num_classes)
    return PEARL(
        parser=parser,
        encoder=widened(make("backbone"), PAST_FRAMES),
        head=head,
        transform=conv_bn_relu(parser.channels[2], head.width),
        generator=Generator(parser.channels[2], width),
        discriminator=Discriminator(width // 4),
    )


ARCHITECTURE = Architecture(SLOTS, pearl)
