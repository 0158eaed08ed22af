import pytest
import torch
from safetensors.torch import save_file

from msaf_bench.analyzers.cost.system import module_cost
from msaf_bench.architectures import build
from msaf_bench.components.backbones.hrnet import hrnet
from msaf_bench.errors import UsageError

#: Parameters, and GFLOPs by size, of the official code at 19 classes.
PUBLISHED = {
    "hrnet-w48": (65_859_379, {(512, 1024): 373.8, (769, 769): 432.2, (1024, 2048): 1495.0}),
    "hrnet-w18": (9_641_119, {(512, 1024): 73.7, (1024, 2048): 294.8}),
}
SMALL = {"width": 4, "stem": 4, "blocks": 1}


@pytest.mark.slow
def test_hrnet_w18_is_the_official_one(golden):
    net = golden.fill(build("hrnet-w18", 19))
    logits = net.head(net.backbone(golden.frame(0, 64, 128)))
    golden.check("hrnet_w18_seg", logits)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_sizes_and_costs_are_the_published_ones(name):
    with torch.device("meta"):
        net = build(name, 19).eval()
    parameters, costs = PUBLISHED[name]
    assert (
        sum(p.numel() for part in (net.backbone, net.head) for p in part.parameters()) == parameters
    )
    for size, gflops in costs.items():
        assert 2e-9 * module_cost(net, (1, 1, 3, *size)).total_macs == pytest.approx(
            gflops, rel=0.01
        )


@pytest.mark.slow
def test_the_names_are_those_of_the_official_weights(tmp_path):
    torch.manual_seed(0)
    net = hrnet(**SMALL)
    assert set(net.state_dict()) > {
        "conv2.weight",
        "layer1.0.downsample.1.weight",
        "transition1.0.0.weight",
        "transition3.3.0.0.weight",
        "stage2.0.fuse_layers.0.1.0.weight",
        "stage3.3.fuse_layers.2.0.1.0.weight",
        "stage4.2.branches.3.0.bn2.running_var",
    }
    save_file(net.state_dict(), tmp_path / "hrnet.safetensors")
    loaded = hrnet(**SMALL, weights=str(tmp_path / "hrnet.safetensors")).eval()
    image = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(loaded(image).f5, net.eval()(image).f5, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("stride", [4, 8])
@pytest.mark.parametrize("size", [(64, 96), (97, 129), (24, 32)])
def test_all_stages_lie_on_one_grid(stride, size):
    net = hrnet(**SMALL, stride=stride).eval()
    stages = net(torch.randn(1, 3, *size))
    grid = tuple(-(-n // stride) for n in size)
    assert [tuple(f.shape[1:]) for f in stages] == [(c, *grid) for c in net.channels]
    assert net.channels == (8, 16, 60)


@pytest.mark.slow
def test_the_grids_differ_only_in_how_the_branches_are_read():
    torch.manual_seed(0)
    fine = hrnet(**SMALL, stride=4).eval()
    coarse = hrnet(**SMALL, stride=8).eval()
    coarse.load_state_dict(fine.state_dict())
    image = torch.randn(1, 3, 64, 96)
    a, b = fine(image), coarse(image)
    torch.testing.assert_close(b.f5[:, 4:12], b.f3, rtol=0, atol=0)
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(a.f5[:, :4], 2), b.f5[:, :4])


def test_another_stride_is_refused():
    with pytest.raises(UsageError, match="4 or 8"):
        hrnet(stride=16)
