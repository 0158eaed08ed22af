import pytest
import torch

from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.architectures import build
from msaf_bench.architectures.single_frame import neighbours
from msaf_bench.spec import System

TDNETS = {
    "resnet18": System(
        architecture="single-frame",
        slots={
            "backbone": {"use": "resnet18", "dilate": "multigrid"},
            "head": {"use": "psp", "width": 128},
        },
    ),
    "resnet50": System(
        architecture="single-frame",
        slots={
            "backbone": {"use": "resnet50", "stem": "deep", "dilate": "multigrid"},
            "head": "psp",
        },
    ),
    "resnet101": System(
        architecture="single-frame",
        slots={
            "backbone": {"use": "resnet101", "stem": "deep", "dilate": "multigrid"},
            "head": "psp",
        },
    ),
}


@pytest.mark.slow
def test_pspnet18_is_etcs_network(golden):
    net = golden.fill(build("pspnet18", 19))
    golden.check("etc_pspnet18_97x129", net(golden.frame(0, 97, 129)[None]).logits)
    stages = net.backbone(golden.frame(0, 97, 129))
    golden.check("etc_pspnet18_logits_stride8", net.head(stages))
    golden.check("etc_pspnet18_aux_stride8", net.auxiliary(stages.f4))


@pytest.mark.slow
def test_pspnet50_is_semsegs_network(golden):
    net = golden.fill(build("pspnet50", 19))
    golden.check("semseg_pspnet50", net(golden.frame(0, 97, 129)[None]).logits)


@pytest.mark.slow
def test_pspnet50_can_be_tdnets_network(golden):
    net = golden.fill(build(TDNETS["resnet50"], 19))
    golden.check("tdnet_pspnet_resnet50", net(golden.frame(0, 65, 129)[None]).logits)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "inference", "training"),
    [
        ("pspnet18", 13_804_371, 14_399_590),
        ("pspnet50", 46_715_347, 49_080_038),
        ("pspnet101", 65_707_475, 68_072_166),
        # Less the ImageNet classifiers that TDNet's code carries along.
        (TDNETS["resnet18"], 13_135_035 - 513_000, None),
        (TDNETS["resnet50"], 48_764_347 - 2_049_000, None),
        (TDNETS["resnet101"], 67_756_475 - 2_049_000, None),
    ],
)
def test_as_many_parameters_as_the_official_code(system, inference, training):
    with torch.device("meta"):
        net = build(system, 19)
    count = sum(p.numel() for name, p in net.named_parameters() if not name.startswith("auxiliary"))
    assert count == inference
    assert training in (None, sum(p.numel() for p in net.parameters()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "size", "gflops"),
    [
        ("pspnet50", (713, 713), 727.6),
        ("pspnet50", (769, 769), 845.2),
        ("pspnet50", (1025, 2049), 2978.8),
        ("pspnet101", (713, 713), 1034.4),
        ("pspnet101", (769, 769), 1201.6),
        ("pspnet101", (1025, 2049), 4234.7),
        ("pspnet18", (1024, 2048), 925.0),
        ("pspnet18", (512, 1024), 231.3),
        ("pspnet18", (768, 1536), 520.3),
        ("pspnet18", (769, 769), 265.5),
        ("pspnet18", (769, 1537), 528.3),
        ("pspnet18", (720, 960), 304.9),
        (TDNETS["resnet18"], (769, 1537), 484.0),
        (TDNETS["resnet18"], (1024, 2048), 847.6),
        (TDNETS["resnet50"], (769, 1537), 1681.9),
        (TDNETS["resnet50"], (1024, 2048), 2945.7),
        (TDNETS["resnet101"], (769, 1537), 2391.0),
        (TDNETS["resnet101"], (1024, 2048), 4186.9),
    ],
)
def test_as_many_operations_as_the_official_code(system, size, gflops):
    assert 2 * system_cost(system, 19, size).total_macs / 1e9 == pytest.approx(gflops, rel=5e-4)


def small(**options):
    return System(
        architecture="single-frame",
        slots={"backbone": {"use": "resnet10", "width": 8}, "head": {"use": "psp", "width": 16}},
        options=options,
    )


def test_the_auxiliary_head_counts_by_its_weight():
    torch.manual_seed(0)
    net = build(small(auxiliary=0.25), 5)
    out, labels = net(torch.randn(2, 1, 3, 32, 48)), torch.randint(5, (2, 32, 48))
    alone = net.loss(out._replace(aux={}), labels)
    auxiliary = net.loss(
        out._replace(logits=net.enlarge(out.aux["auxiliary"], labels), aux={}), labels
    )
    torch.testing.assert_close(net.loss(out, labels), alone + 0.25 * auxiliary)
    assert build(small(auxiliary=0), 5)(torch.randn(2, 1, 3, 32, 48)).aux == {}


def test_neighbours_are_among_the_three_frames_before_the_newest():
    clip = torch.arange(6.0).view(1, 6, 1, 1, 1).expand(1, 6, 3, 2, 2)
    drawn = [[int(frame[0, 0, 0, 0]) for frame in neighbours(clip, 2)] for _ in range(60)]
    assert {frame for pair in drawn for frame in pair} == {2, 3, 4}
    assert all(len(set(pair)) == 2 for pair in drawn)
    assert [len(neighbours(clip[:, -t:], 2)) for t in (1, 2, 3)] == [0, 1, 2]
