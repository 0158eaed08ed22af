import hashlib

import pytest
import torch
from safetensors.torch import save_file

from msaf_bench.analyzers.cost.system import module_cost
from msaf_bench.components.backbones.resnet import resnet10, resnet18, resnet34, resnet50, resnet101
from msaf_bench.errors import UsageError


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factory", "channels", "parameters"),
    [
        # torchvision's published counts less the classifier.
        (resnet18, (128, 256, 512), 11_689_512 - 513_000),
        (resnet34, (128, 256, 512), 21_797_672 - 513_000),
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factory", "options", "parameters", "gflops"),
    [
        (
            resnet18,
            {"dilate": "second"},
            11_176_512,
            {(512, 1024): 192.5, (768, 1536): 433.2, (1024, 2048): 770.1},
        ),
        (
            resnet50,
            {"stem": "deep"},
            23_631_808,
            {(512, 1024): 427.0, (768, 1536): 960.7, (1024, 2048): 1708.0},
        ),
        (resnet50, {"stem": "v1c", "dilate": "half-first"}, 23_527_264, {(1024, 2048): 1614.7}),
        (
            resnet101,
            {"stem": "deep"},
            42_623_936,
            {(512, 1024): 737.3, (768, 1536): 1658.9, (1024, 2048): 2949.2},
        ),
    ],
)
def test_as_large_as_the_official_backbones(factory, options, parameters, gflops):
    with torch.device("meta"):
        net = factory(**options).eval()
    assert sum(p.numel() for p in net.parameters()) == parameters
    for size, expected in gflops.items():
        assert 2 * module_cost(net, (1, 3, *size)).total_macs / 1e9 == pytest.approx(
            expected, rel=5e-4
        )


def test_the_defaults_draw_what_they_always_drew():
    """Committed reference results were trained from these numbers."""
    torch.manual_seed(0)
    state = resnet18(width=8).state_dict()
    # names and their order
    assert hashlib.sha256(" ".join(state).encode()).hexdigest()[:16] == "003a6282e0b2c97c"
    drawn = [
        state[name].flatten()[-1].item()
        for name in ("layer3.0.downsample.0.weight", "layer4.1.conv2.weight")
    ]
    assert [*drawn, torch.rand(1).item()] == pytest.approx(
        [0.35080501437, -0.10268167406, 0.87886863947], rel=1e-5
    )


def test_the_names_are_torchvisions():
    with torch.device("meta"):
        names = set(resnet50().state_dict())
    for name in (
        "conv1.weight",
        "bn1.running_var",
        "layer1.0.downsample.0.weight",
        "layer3.5.conv3.weight",
        "layer4.2.bn3.bias",
    ):
        assert name in names
    assert not any(name.startswith("fc") for name in names)


def dilations(net):
    """Of every 3x3 convolution of the third and the fourth stage, block by block."""
    stages = (net.layer3, net.layer4)
    return [
        [
            tuple(c.dilation[0] for c in block.modules() if getattr(c, "kernel_size", 0) == (3, 3))
            for block in s
        ]
        for s in stages
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factory", "options", "expected"),
    [
        (resnet18, {}, [[(2, 2), (2, 2)], [(4, 4), (4, 4)]]),
        (resnet18, {"dilate": "second"}, [[(1, 2), (1, 2)], [(1, 4), (1, 4)]]),
        (resnet18, {"dilate": "multigrid"}, [[(1, 2), (2, 2)], [(4, 4), (8, 4)]]),
        (resnet50, {"dilate": "multigrid"}, [[(1,), *[(2,)] * 5], [(4,), (8,), (16,)]]),
        (resnet18, {"dilate": "half-first"}, [[(1, 1), (2, 1)], [(2, 1), (4, 1)]]),
        (resnet50, {"dilate": "half-first"}, [[(1,), *[(2,)] * 5], [(2,), (4,), (4,)]]),
        (resnet18, {"output_stride": 16}, [[(1, 1), (1, 1)], [(2, 2), (2, 2)]]),
    ],
)
def test_dilation_is_where_the_convention_puts_it(factory, options, expected):
    with torch.device("meta"):
        net = factory(**options)
        stages = net(torch.empty(1, 3, 97, 129))
    assert dilations(net) == expected
    assert all(
        c.padding == c.dilation
        for c in net.layer4.modules()
        if getattr(c, "kernel_size", 0) == (3, 3)
    )
    grid = (7, 9) if options.get("output_stride") == 16 else (13, 17)
    assert [tuple(f.shape[2:]) for f in stages] == [grid] * 3
    assert net.stride == options.get("output_stride", 8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stem", "widths"), [("plain", [64]), ("deep", [64, 64, 128]), ("v1c", [32, 32, 64])]
)
def test_stems_have_their_published_widths(stem, widths):
    with torch.device("meta"):
        net = resnet50(stem=stem)
    convolutions = [c for c in net.conv1.modules() if isinstance(c, torch.nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == widths
    assert [c.stride for c in convolutions] == [(2, 2), (1, 1), (1, 1)][: len(widths)]
    assert net.bn1.num_features == widths[-1]


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_weights_are_read_without_the_classifier(tmp_path, suffix):
    torch.manual_seed(0)
    net, path = resnet10(width=4), tmp_path / f"net.{suffix}"
    state = net.state_dict() | {"fc.weight": torch.zeros(10, 32), "fc.bias": torch.zeros(10)}
    # older files have none
    state = {name: t for name, t in state.items() if not name.endswith("num_batches_tracked")}
    (save_file if suffix == "safetensors" else torch.save)(state, path)
    read = resnet10(width=4, weights=str(path))
    assert all(torch.equal(read.state_dict()[name], t) for name, t in net.state_dict().items())
    with torch.device("meta"):
        assert resnet10(width=8, weights=str(path)).conv1.weight.is_meta


@pytest.mark.slow
def test_weights_that_do_not_fit_are_refused(tmp_path):
    state, path = resnet10(width=4).state_dict(), tmp_path / "net.pth"
    torch.save({name: t for name, t in state.items() if name != "layer2.0.conv1.weight"}, path)
    with pytest.raises(UsageError, match=r"net\.pth.*layer2\.0\.conv1\.weight"):
        resnet10(width=4, weights=str(path))
    torch.save(state, path)
    with pytest.raises(UsageError, match="size mismatch") as refused:
        resnet10(width=8, weights=str(path))
    assert "\n" not in str(refused.value)
    for content in (b"", b"no weights"):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"net\.pth"):
            resnet10(weights=str(path))
    for name in ("none.pth", "none.safetensors"):
        with pytest.raises(UsageError, match="No such file"):
            resnet10(weights=str(tmp_path / name))


def test_unknown_conventions_are_named():
    with pytest.raises(UsageError, match="did you mean plain"):
        resnet10(stem="plane")
    with pytest.raises(UsageError, match="multigrid"):
        resnet10(dilate="multi-grid")
    with pytest.raises(UsageError, match="output_stride = 4; give 8 or 16"):
        resnet10(output_stride=4)
