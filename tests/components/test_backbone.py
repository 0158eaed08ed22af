import pytest
import torch

from msaf_bench.components.backbone import resnet10, resnet18, resnet50, resnet101


@pytest.mark.parametrize(
    ("factory", "channels", "parameters"),
    [
        # torchvision's published counts less the classifier.
        (resnet18, (128, 256, 512), 11_689_512 - 513_000),
        (resnet50, (512, 1024, 2048), 25_557_032 - 2_049_000),
        (resnet101, (512, 1024, 2048), 44_549_160 - 2_049_000),
        (resnet10, (128, 256, 512), None),
    ],
)
def test_all_stages_are_at_one_eighth(factory, channels, parameters):
    with torch.device("meta"):
        net = factory()
        stages = net(torch.empty(1, 3, 97, 129))
    assert net.channels == channels
    assert [tuple(f.shape) for f in stages] == [(1, c, 13, 17) for c in channels]
    if parameters:
        assert sum(p.numel() for p in net.parameters()) == parameters


def test_the_names_are_torchvisions():
    with torch.device("meta"):
        names = set(resnet50().state_dict())
    for name in ("conv1.weight", "bn1.running_var", "layer1.0.downsample.0.weight", "layer3.5.conv3.weight", "layer4.2.bn3.bias"):
        assert name in names
    assert not any(name.startswith("fc") for name in names)


def test_dilation_is_where_section_3_2_puts_it():
    with torch.device("meta"):
        net = resnet18()
    for layer, dilation in ((net.layer2, 1), (net.layer3, 2), (net.layer4, 4)):
        assert all(c.dilation == (dilation, dilation) for c in layer.modules() if getattr(c, "kernel_size", 0) == (3, 3))
    assert all(c.stride == (1, 1) for c in [*net.layer3.modules(), *net.layer4.modules()] if hasattr(c, "stride"))
