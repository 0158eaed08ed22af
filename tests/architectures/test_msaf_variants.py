import pytest
import torch
from torch.nn import functional

from msaf_bench import build
from msaf_bench.analyzers.cost.system import module_cost, system_cost
from msaf_bench.catalog import read_conditions, read_system, shrunk
from msaf_bench.components.backbones.pyramid import psp18, psp50, psp101
from msaf_bench.components.backbones.resnet import resnet18
from msaf_bench.components.heads import PSPHead
from msaf_bench.errors import UsageError
from msaf_bench.ports import Stages

SMALL = read_conditions("smoke", "street", systems=True)


def small(name="msaf-r18", **options):
    torch.manual_seed(0)
    return build(shrunk(read_system(name).swap(options=options), SMALL), 5).eval()


def recorded(net, inputs):
    net.backbone.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))


@pytest.mark.parametrize(("scale", "size"), [(0.75, (24, 48)), (0.5, (16, 32)), (1.0, (32, 64))])
def test_frames_are_resized_inside_and_logits_are_not(scale, size):
    inputs, clip = [], torch.randn(2, 3, 3, 32, 64)
    net = small(input_scale=scale)
    recorded(net, inputs)
    with torch.inference_mode():
        logits = net(clip).logits
        stream = net.stream()
        steps = [stream.step(frame) for frame in clip.unbind(1)]
    assert logits.shape == (2, 5, 32, 64)
    torch.testing.assert_close(steps[-1], logits, rtol=1e-4, atol=1e-4)
    frames = clip.flatten(0, 1)
    expected = frames if scale == 1 else functional.interpolate(frames, size, mode="bilinear")
    assert torch.equal(inputs[0], expected)


def test_half_the_frame_is_the_mean_of_two_by_two_pixels():
    inputs, clip = [], torch.randn(1, 3, 3, 32, 64)
    net = small(input_scale=0.5)
    recorded(net, inputs)
    net(clip)
    torch.testing.assert_close(inputs[0], functional.avg_pool2d(clip.flatten(0, 1), 2))


@pytest.mark.slow
def test_half_the_frame_costs_what_a_network_of_half_frames_does():
    half = read_system("msaf-r18").swap(options={"input_scale": 0.5})
    assert (
        system_cost(half, 19, (1024, 2048)).total_macs
        == system_cost("msaf-r18", 19, (512, 1024)).total_macs
    )


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5])
def test_a_bad_scale_is_named(scale):
    with pytest.raises(UsageError, match="input_scale"):
        build(read_system("msaf-r18").swap(options={"input_scale": scale}), 5)


def test_a_psp_backbone_is_a_resnet_with_pspnets_features_as_f5():
    torch.manual_seed(0)
    net, plain = psp18(width=8).eval(), resnet18(width=8).eval()
    plain.load_state_dict(net.resnet.state_dict())
    head = PSPHead(plain.channels, 5, width=32).eval()
    head.load_state_dict(
        {k: v for k, v in net.state_dict().items() if not k.startswith("resnet.")}, strict=False
    )
    image = torch.randn(2, 3, 33, 48)
    with torch.no_grad():
        got, stages = net(image), plain(image)
        torch.testing.assert_close(got, Stages(stages.f3, stages.f4, head.features(stages)))
    assert tuple(f.shape[1] for f in got) == net.channels
    assert net.stride == 8


@pytest.mark.slow
def test_psp18_is_etcs_pspnet_without_its_classifier():
    with torch.device("meta"):
        net = psp18()
    cost = module_cost(Alone(net), (1, 3, 1024, 2048))
    assert cost.total_params == 13_804_371 - (256 * 19 + 19)
    assert 2e-9 * cost.total_macs == pytest.approx(925.0, rel=0.001)


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "published"), [(psp50, 46_715_347), (psp101, 65_707_475)])
def test_the_deeper_ones_are_semsegs_pspnets_but_for_the_width_of_the_last_convolution(
    backbone, published
):
    with torch.device("meta"):
        net = backbone(stem="deep")
    last = {d: 4096 * d * 9 + 2 * d for d in (256, 512)}
    assert (
        sum(p.numel() for p in net.parameters())
        == published - (512 * 19 + 19) - last[512] + last[256]
    )


class Alone(torch.nn.Module):
    """F5 of a backbone."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, image):
        return self.backbone(image).f5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "channels"),
    [("psp18", (128, 256, 256)), ("psp101", (512, 1024, 256)), ("hrnet48", (96, 192, 720))],
)
def test_the_variants_differ_from_msaf_by_the_backbone_and_what_enters(name, channels):
    with torch.device("meta"):
        net, plain = build(f"msaf-{name}", 19), build("msaf-r18", 19)
    assert net.backbone.channels == channels
    assert net.backbone.stride == 8
    for part in ("motion", "assign"):
        shapes = [
            [(k, v.shape) for k, v in getattr(n, part).state_dict().items()] for n in (net, plain)
        ]
        assert shapes[0] == shapes[1]
