import pytest
import torch
from torch.nn import functional

from msaf_bench.components.backbones.erfnet import ERFNet, ERFNetHead


@pytest.mark.slow
@pytest.mark.parametrize("size", [(24, 32), (25, 41)])
def test_any_size_is_filled_up_to_whole_cells(size):
    torch.manual_seed(0)
    net = ERFNet(width=4).eval()
    head = ERFNetHead(net.channels, 5).eval()
    image = torch.randn(2, 3, *size)
    full = functional.pad(image, (0, -size[1] % 8, 0, -size[0] % 8))
    with torch.inference_mode():
        stages = net(image)
        assert [tuple(f.shape) for f in stages] == [
            (2, 32, full.shape[-2] // 8, full.shape[-1] // 8)
        ] * 3
        torch.testing.assert_close(stages.f5, net(full).f5)
        features = head.features(stages)
        assert features.shape[1:] == (head.width, full.shape[-2] // 2, full.shape[-1] // 2)
        torch.testing.assert_close(head.classify(features), head(stages))
        assert head(stages).shape == (2, 5, *full.shape[-2:])


def test_a_new_width_keeps_the_proportions():
    assert ERFNet(width=8).channels == (64, 64, 64)
    assert ERFNetHead((64, 64, 64), 3).width == 8
