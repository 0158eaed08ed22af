import math

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from msaf_bench.architectures import build
from msaf_bench.architectures.tdnet import divergence, hard_cross_entropy
from msaf_bench.catalog import read_system
from msaf_bench.errors import UsageError
from msaf_bench.spec import VOID, System


def small(teacher="none", **options):
    """Four ResNet-10 of width 8."""
    slots = {
        "backbone": {"use": "resnet10", "width": 8},
        "head": {"use": "fcn", "width": 8},
        "teacher": teacher,
    }
    return build(
        System(
            architecture="tdnet",
            slots=slots,
            options={"width": 16, "key_width": 8, "norm_size": (9, 17), **options},
        ),
        5,
    )


TEACHER = {"use": "pspnet", "backbone": "resnet10", "width": 8, "head": 8}


@pytest.mark.slow
def test_td2_is_the_official_network(golden):
    system = read_system("tdnet-td2-psp50").swap((("teacher", "none"),), (("norm_size", (9, 17)),))
    video = golden.fill(build(system, 19)).stream()
    with torch.no_grad():
        for i in range(4):
            golden.check(f"tdnet_td2_psp50_frame{i}", video.step(golden.frame(i, 65, 129)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "params", "unused", "first", "steady"),
    [
        ("tdnet-td4-psp18", 54_830_068, 4 * 513_000, 473.9, 514.9),
        ("tdnet-td2-psp50", 65_368_570, 2 * 2_049_000, 1066.7, 1103.0),
    ],
)
def test_size_and_cost_of_every_turn_are_the_official_ones(name, params, unused, first, steady):
    with torch.device("meta"):
        net = build(read_system(name).swap((("teacher", "none"),)), 19).eval()
    own = [
        p
        for part, child in net.named_children()
        if part not in net.training_only
        for p in child.parameters()
    ]
    # the official backbones keep their ImageNet classifiers
    assert sum(p.numel() for p in own) == params - unused
    video, frame = net.stream(), torch.empty(1, 3, 769, 1537, device="meta")
    for t in range(2 * net.frames - 1):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            video.step(frame)
        # Ours takes the kept query and value from the newest frame's maps; the official code makes
        # them a second time.
        assert counter.get_total_flops() / 1e9 == pytest.approx(
            first if t < net.frames - 1 else steady, rel=3e-3
        )


@pytest.mark.slow
def test_td4_hands_values_on_from_frame_to_frame():
    """Against the official chain, written out, with the attention modules named by the sub-networks
    of the newest and the read frame.
    """
    net = small().double().eval()
    torch.manual_seed(0)
    frames = torch.randn(8, 1, 3, 49, 65, dtype=torch.float64)
    with torch.no_grad():
        full, memory = [], []
        for t, frame in enumerate(frames):
            path, f5 = net.paths[t % 4], net.backbone[t % 4](frame).f5
            parts = path.pyramid(f5).split((64, 16, 16, 16, 16), 1)
            z = torch.cat(
                [x[:, x.shape[1] // 2 :] if t % 2 else x[:, : x.shape[1] // 2] for x in parts], 1
            )
            full.append(path.encoding(z))
            memory.append(path.encoding(functional.max_pool2d(z, 1, 4)))
        video = net.stream()
        for t, frame in enumerate(frames):
            p, value = t % 4, full[t].value
            if t >= 3:
                attention = {
                    (p, (p + 1 + i) % 4): module
                    for i, module in enumerate(net.paths[p].propagation)
                }
                a, b, c = (memory[t - n] for n in (3, 2, 1))
                v2 = attention[p, (t - 3) % 4](b.query, a.key, a.value)
                v3 = attention[p, (t - 2) % 4](c.query, b.key, b.value + v2)
                value = value + attention[p, (t - 1) % 4](full[t].query, c.key, c.value + v3)
            logits = net.paths[p].head.classifier(net.paths[p].head.mix(net.paths[p].norm(value)))
            expected = functional.interpolate(logits, (49, 65), mode="bilinear", align_corners=True)
            torch.testing.assert_close(video.step(frame), expected)


@pytest.mark.slow
def test_all_turns_are_trained_one_a_step():
    net, clip, labels = small(TEACHER), torch.randn(2, 5, 3, 32, 64), torch.zeros(2, 32, 64).long()
    torch.manual_seed(0)
    missing = set(dict(net.named_parameters()))
    for _ in range(30):
        net.zero_grad()
        net.loss(net(clip), labels).backward()
        learning = {name for name, p in net.named_parameters() if p.grad is not None}
        assert (
            sum(any(name.startswith(f"paths.{i}.head") for name in learning) for i in range(4)) == 1
        )
        assert all(
            p in learning
            for p in dict(net.named_parameters())
            if p.startswith(("teacher", "backbone"))
        )
        missing -= learning
        if not missing:
            break
    assert not missing


@pytest.mark.slow
def test_the_loss_adds_up():
    net, labels = small(TEACHER), torch.randint(5, (2, 32, 64))
    out = net(torch.randn(2, 4, 3, 32, 64))
    aux = out.aux
    expected = hard_cross_entropy(out.logits, labels) + 0.5 * hard_cross_entropy(
        aux["alone"], labels
    )
    expected = expected + 0.1 * hard_cross_entropy(aux["auxiliary"], labels)
    large = functional.interpolate(aux["teacher"], (32, 64), mode="bilinear")
    expected = (
        expected
        + divergence(aux["grid"], aux["whole"])
        + 0.5 * divergence(aux["alone"], aux["group"])
    )
    torch.testing.assert_close(
        net.loss(out, labels), expected + functional.cross_entropy(large, labels)
    )
    assert not aux["whole"].requires_grad
    assert not aux["group"].requires_grad


@pytest.mark.slow
def test_what_is_learnt_from_leaves_no_trace_in_the_teacher():
    net, frame = small(TEACHER), torch.randn(2, 3, 32, 64)
    before = {name: value.clone() for name, value in net.teacher.state_dict().items()}
    net.teach(frame, 1)
    after = {name: value.clone() for name, value in net.teacher.state_dict().items()}
    net.teacher.load_state_dict(before)
    net.teacher(frame)
    assert net.teacher.training
    for name, value in net.teacher.state_dict().items():
        assert torch.equal(value, after[name]), name


@pytest.mark.parametrize("scale", [0.1, 8.0])  # few pixels are sure; most are
def test_hard_pixels_are_the_unsure_ones_and_at_least_a_sixteenth(scale):
    torch.manual_seed(0)
    logits, labels = (
        scale * torch.randn(2, 4, 8, 8, dtype=torch.float64),
        torch.randint(4, (2, 8, 8)),
    )
    if scale > 1:
        logits.scatter_(1, labels[:, None], 20.0)
        logits[0, :, 0, :3] = 0.0
    labels[1, 4:] = VOID
    losses = functional.cross_entropy(logits, labels.where(labels != VOID, 0), reduction="none")[
        labels != VOID
    ].tolist()
    hardest = sorted(losses, reverse=True)
    hard = [x for x in hardest if x > -math.log(0.7)]
    hard = hard if len(hard) > 2 * 8 * 8 // 16 else hardest[: 2 * 8 * 8 // 16]
    assert float(hard_cross_entropy(logits, labels)) == pytest.approx(sum(hard) / len(hard))
    assert float(hard_cross_entropy(logits, torch.full_like(labels, VOID))) == 0


def test_divergence_is_kullback_leiblers():
    student, teacher = (
        torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(i), dtype=torch.float64)
        for i in range(2)
    )
    p, q = teacher.softmax(1), student.softmax(1)
    torch.testing.assert_close(divergence(student, teacher), (p * (p / q).log()).sum(1).mean())


def test_what_cannot_be_built_or_read_is_refused():
    with pytest.raises(UsageError, match="paths = 1"):
        small(paths=1)
    with pytest.raises(UsageError, match="reads 4 frames, the clip has 3"):
        small()(torch.zeros(1, 3, 3, 32, 64))
