import pytest
import torch
from torch.nn import functional

from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.architectures import build
from msaf_bench.architectures.pc import Perception, perceptual_consistency
from msaf_bench.components.backbones.resnet import resnet18
from msaf_bench.spec import System


def small(**options):
    torch.manual_seed(0)
    slots = {"backbone": {"use": "resnet10", "width": 8}, "head": {"use": "fcn", "width": 16}}
    return build(System(architecture="pc", slots=slots, options={"perception": 8} | options), 5)


def clip(frames=5):
    torch.manual_seed(1)
    return torch.randn(2, frames, 3, 32, 48)


@pytest.fixture
def official(golden):
    """The inputs of the official measure: features 0.5 + u and three classes by thirds of u, salts
    1 to 4.
    """
    case = golden.cases["pc_spc_mapA"]
    c, n = case["c"], case["n"]
    features = [0.5 + golden.u(c * n, salt).view(1, c, n) for salt in (1, 2)]
    labels = [((golden.u(n, salt) + 1) / 2 * 3).long() for salt in (3, 4)]
    return *features, *(functional.one_hot(x, 3).T[None].double() for x in labels)


def test_the_measure_is_the_official_one(golden, official):
    here, there = perceptual_consistency(*official)
    golden.check("pc_spc_mapA", here[0])
    overall = torch.stack([here.mean(1), there.mean(1)]).amin(0)
    assert float(overall) == pytest.approx(golden.cases["pc_spc_mapA"]["overall"], rel=1e-6)


@pytest.mark.slow
def test_the_measure_pixel_by_pixel(official):
    a, b, shares, other = (x[0] for x in official)
    for found, (one, two, own, their) in zip(
        perceptual_consistency(*official),
        ((a, b, shares, other), (b, a, other, shares)),
        strict=True,
    ):
        for i in range(30):
            alike = [
                float(one[:, i] @ two[:, j] / (one[:, i].norm() * two[:, j].norm()))
                for j in range(30)
            ]
            same = [s * float(own[:, i] @ their[:, j]) for j, s in enumerate(alike)]
            mean = sum(alike) / 30
            assert float(found[0, i]) == pytest.approx(
                (max(same) - mean) / (max(alike) - mean), rel=1e-9
            )


def test_pixels_that_all_look_alike_say_nothing():
    features, shares = torch.ones(1, 4, 6), torch.rand(1, 3, 6, requires_grad=True)
    here, there = perceptual_consistency(features, features, shares, shares)
    assert here.eq(1).all()
    assert there.eq(1).all()
    (here.sum() + there.sum()).backward()
    assert shares.grad.eq(0).all()


def test_the_perception_is_a_resnet_up_to_its_second_stage_and_never_learns(tmp_path):
    torch.manual_seed(0)
    net = resnet18(width=8)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    perception = Perception(width=8, weights=str(tmp_path / "net.pth")).train()
    image = torch.randn(1, 3, 48, 80)
    expected = functional.avg_pool2d(net.eval()(image).f3, 2)
    torch.testing.assert_close(perception(image), expected)
    assert perception(image).shape == (1, 16, 3, 5)
    assert not any(p.requires_grad for p in perception.parameters())


def test_the_loss_adds_what_is_missing_to_consistency():
    net = small(consistency=0.25)
    net.train()
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0
    frames = clip(2)
    out, labels = net(frames), torch.randint(5, (2, 32, 48))
    both = torch.cat((frames[:, 1], frames[:, 0]))
    features = net.perception(both)
    shares = (
        functional.adaptive_avg_pool2d(net.head(net.backbone(both)).softmax(1), features.shape[-2:])
        .flatten(2)
        .split(2)
    )
    maps = perceptual_consistency(*features.flatten(2).split(2), *shares)
    image = torch.minimum(maps[0].mean(1), maps[1].mean(1))
    torch.testing.assert_close(out.aux["consistency"], 0.25 * (1 - image.mean()))
    alone = net.loss(out._replace(aux={"auxiliary": out.aux["auxiliary"]}), labels)
    torch.testing.assert_close(net.loss(out, labels), alone + out.aux["consistency"])


@pytest.mark.slow
def test_descending_on_the_term_makes_two_frames_agree():
    net = small(consistency=1.0, auxiliary=0)
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 3e-3)
    found = []
    for _ in range(12):
        term = net(clip(2)).aux["consistency"]
        optimizer.zero_grad()
        term.backward()
        optimizer.step()
        found.append(term.item())
    assert found[-1] < 0.9 * found[0]


def test_one_frame_is_trained_without_the_term():
    assert set(small()(clip(1)).aux) == {"auxiliary"}
    assert small().eval()(clip()).aux == {}


@pytest.mark.slow
def test_hrnet_w18_has_the_published_size():
    cost = system_cost("pc-hrnet18", 19, (1024, 2048))
    assert cost.total_params == 9_641_119
    assert 2 * cost.total_macs / 1e9 == pytest.approx(294.8, rel=1e-3)
