import pytest
import torch

from msaf_bench import build
from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.errors import UsageError
from msaf_bench.spec import System


def small(**options):
    torch.manual_seed(0)
    slots = {"backbone": {"use": "resnet18", "width": 8}, "head": {"use": "fcn", "width": 16}}
    return build(
        System(
            architecture="lvs",
            slots=slots,
            options={"width": 8, "kernel": 3, "split": 1, **options},
        ),
        5,
    )


def frames(b=2, t=12):
    torch.manual_seed(1)
    return torch.randn(b, t, 3, 32, 48)


def counted(net, name, calls):
    original = getattr(net, name)

    def call(x):
        calls.append(len(x))
        return original(x)

    setattr(net, name, call)


def alert(net):
    """Makes the scheduler disagree with itself from frame to frame, and puts the threshold in
    between.
    """
    torch.nn.init.normal_(net.scheduler.last.weight, std=20)
    net.scheduler.last.bias.data.zero_()
    low = net.scheduler.reduce(net.low(frames().flatten(0, 1)))
    seen = low.view(2, 12, *low.shape[1:])
    deviations = torch.stack(
        [net.scheduler(seen[:, t], seen[:, 5 * (t // 5)]) for t in range(12) if t % 5]
    )
    net.threshold = float(deviations.quantile(0.6))


@pytest.mark.slow
def test_low_and_high_parts_are_the_backbone_and_the_head():
    net, image = small().eval(), frames()[:, 0]
    stages = net.backbone(image)
    torch.testing.assert_close(net.high(net.low(image)), net.head.features(stages), rtol=0, atol=0)
    assert torch.equal(net.low(image), net.backbone.layer3[0](stages.f3))
    assert torch.equal(small(split=0).eval().low(image), stages.f3)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["adaptive", "fixed"])
def test_a_stream_computes_high_features_of_key_frames_alone(schedule):
    net, calls = small(schedule=schedule).eval(), []
    counted(net, "high", calls)
    with torch.inference_mode():
        stream = net.stream()
        for t in range(11):
            stream.step(frames()[:, t])
            assert len(calls) == 1 + t // 5
        calls.clear()
        net(frames()[:, :5])
        assert calls == [2]


@pytest.mark.slow
def test_an_alert_scheduler_makes_key_frames_of_its_own_in_each_video():
    net, calls = small().eval(), []
    with torch.inference_mode():
        alert(net)
        counted(net, "high", calls)
        stream, alone = net.stream(), [net.stream(), net.stream()]
        got = [stream.step(frames()[:, t]) for t in range(10)]
        assert {1, 2} == set(calls)  # some of one video, some of both
        assert len(calls) > 2
        for b in range(2):
            for t in range(10):
                torch.testing.assert_close(
                    alone[b].step(frames()[b : b + 1, t]), got[t][b : b + 1], rtol=1e-4, atol=1e-5
                )
        for t in (4, 9):
            torch.testing.assert_close(
                net(frames()[:, t - 4 : t + 1]).logits, got[t], rtol=1e-4, atol=1e-5
            )
        calm = small().eval()
        calm.load_state_dict(net.state_dict())
        calm.threshold = 1
        assert not torch.allclose(calm(frames()[:, 5:10]).logits, got[9])


def test_a_frame_that_becomes_a_key_frame_is_segmented_directly():
    net = small().eval()
    net.threshold = 0
    with torch.inference_mode():
        direct = net.enlarge(net.head(net.backbone(frames()[:, 4])), frames())
        torch.testing.assert_close(net(frames()[:, :5]).logits, direct)
        stream = net.stream()
        torch.testing.assert_close([stream.step(frames()[:, t]) for t in range(5)][4], direct)


@pytest.mark.slow
def test_the_scheduler_learns_how_much_the_labels_change_and_teaches_nobody_else():
    net = small().train()
    out = net(frames())
    assert set(out.aux) == {"direct", "deviation", "changed"}
    assert ((out.aux["changed"] >= 0) & (out.aux["changed"] <= 1)).all()
    settled = out._replace(
        logits=out.logits.detach(), aux=out.aux | {"direct": out.aux["direct"].detach()}
    )
    net.loss(settled, torch.zeros(2, 32, 48).long()).backward()
    learning = {name.partition(".")[0] for name, p in net.named_parameters() if p.grad is not None}
    assert learning == {"scheduler"}
    still = frames()[:, :1].expand(-1, 5, -1, -1, -1)
    assert (net(still).aux["changed"] == 0).all()
    assert net.head.training
    assert set(small(schedule="fixed").train()(frames()).aux) == {"direct"}


@pytest.mark.slow
def test_training_draws_the_key_frame_from_all_past_frames():
    net, clip, seen = small().train(), frames(), set()
    low = net.low

    def spy(x):
        seen.update(x[:2, 0, 0, 0].tolist())
        return low(x)

    net.low = spy
    for _ in range(20):
        net(clip)
    assert seen == set(clip[:, -5:-1, 0, 0, 0].flatten().tolist())


@pytest.mark.slow
def test_a_key_frame_costs_more_than_three_others():
    cost = system_cost("lvs-r101", 19, (1024, 2048), mode="stream")
    key, *others = cost.phases
    assert len(set(others)) == 1
    assert key > 3 * others[0]
    places, reduce, kernels, adapt = (
        128 * 256,
        9 * 1024 * 256,
        9 * 512 * 256 + 256 * 81,
        9 * 256 * (1024 + 256 + 256),
    )
    fuse, mix, last = 9 * 768 * 512, 9 * 256 * 256, 256
    assert sum(cost.macs["propagation"].values()) == places * (
        5 * reduce + 4 * (kernels + adapt + fuse)
    )
    assert sum(cost.macs["scheduler"].values()) == places * (5 * reduce + 4 * mix) + 4 * last
    assert 2e-9 * places * (reduce + kernels) == pytest.approx(233, rel=0.01)
    assert 2e-9 * places * adapt == pytest.approx(232, rel=0.01)


@pytest.mark.slow
def test_bad_options_are_named():
    with pytest.raises(UsageError, match="odd"):
        small(kernel=4)
    with pytest.raises(UsageError, match="at least 2"):
        small(interval=1)
    with pytest.raises(UsageError, match="has 2 blocks; give 0 to 2"):
        small(split=3)
    with pytest.raises(UsageError, match="choose resnet18"):
        build(System(architecture="lvs", slots={"backbone": "psp18", "head": "fcn"}), 5)
    with pytest.raises(UsageError, match="reads 5 frames"):
        small()(frames(t=4))
