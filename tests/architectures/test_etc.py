import pytest
import torch
from torch.nn import functional

from msaf_bench.architectures import build
from msaf_bench.architectures.etc import (
    ConvLSTM,
    logit_loss,
    motion_loss,
    pairwise_loss,
    self_similarity,
)
from msaf_bench.architectures.loss import cross_entropy
from msaf_bench.errors import UsageError
from msaf_bench.spec import VOID, System

TEACHER = {"use": "pspnet", "backbone": "resnet10", "width": 8, "head": 16}


def small(teacher="none", head="psp", **options):
    torch.manual_seed(0)
    slots = {
        "backbone": {"use": "resnet10", "width": 8},
        "head": {"use": head, "width": 16} if head == "psp" else head,
        "flow": "zero",
        "teacher": teacher,
    }
    return build(System(architecture="etc", slots=slots, options={"pool": 2} | options), 5)


def clip(frames=5):
    torch.manual_seed(1)
    return torch.randn(2, frames, 3, 32, 48)


@pytest.fixture
def four(golden):
    """Logits of the neighbour, those of the teacher, logits of the frame, those of the teacher."""
    shape, salts = (golden.cases["etc_pairwise_kd"][key] for key in ("shape", "salts"))
    return [golden.u(torch.Size(shape).numel(), salt).view(shape) for salt in salts]


def test_the_distilled_losses_are_those_of_the_official_code(golden, four):
    there, soft_there, here, soft_here = four
    found = pairwise_loss((here, there), (soft_here, soft_there), literal=True)
    assert float(found) == pytest.approx(golden.cases["etc_pairwise_kd"]["value"], rel=1e-6)
    found = logit_loss(here, soft_here) + logit_loss(there, soft_there)
    assert float(found) == pytest.approx(golden.cases["etc_logit_kd"]["value"], rel=1e-6)


@pytest.mark.slow
def test_the_pairwise_loss_compares_all_cosines(four):
    there, soft_there, here, soft_here = (x.flatten(2) for x in four)
    found = 0
    for b in range(2):
        for i in range(20):
            for j in range(20):
                pairs = ((here[b, :, i], there[b, :, j]), (soft_here[b, :, i], soft_there[b, :, j]))
                one, other = (x @ y / (x.norm() * y.norm()) for x, y in pairs)
                found += (one - other) ** 2 / (2 * 20 * 20)
    torch.testing.assert_close(pairwise_loss((four[2], four[0]), (four[3], four[1])), found)


def test_the_pairwise_loss_keeps_its_digits_in_half_precision(four):
    whole = pairwise_loss((four[2], four[0]), (four[3], four[1]))
    with torch.autocast("cpu", torch.bfloat16):
        half = pairwise_loss(
            *((a.bfloat16(), b.bfloat16()) for a, b in ((four[2], four[0]), (four[3], four[1])))
        )
    assert float(half) == pytest.approx(float(whole), rel=0.01)


def test_the_motion_loss_follows_the_flow_and_forgives_what_looks_different():
    torch.manual_seed(0)
    logits, frames = (
        torch.randn(2, 2, 3, 4, 6, dtype=torch.float64),
        torch.randn(2, 2, 3, 4, 6, dtype=torch.float64),
    )
    flow = torch.zeros(2, 2, 4, 6, dtype=torch.float64)
    flow[:, 0], flow[:, 1] = 2, -1
    expected = 0
    for b in range(2):
        for i in range(4):
            for j in range(6):
                k, m = max(i - 1, 0), min(j + 2, 5)
                weight = torch.exp(-(frames[0, b, :, i, j] - frames[1, b, :, k, m]).sum().abs())
                expected += (
                    weight * (logits[0, b, :, i, j] - logits[1, b, :, k, m])
                ).square().sum() / (2 * 3 * 4 * 6)
    torch.testing.assert_close(
        motion_loss((logits[0], logits[1]), (frames[0], frames[1]), flow), expected
    )


def test_self_similarity_is_the_cosines_of_cells():
    torch.manual_seed(0)
    x = torch.randn(2, 5, 5, 7, dtype=torch.float64)
    cells = [x[:, :, i : i + 2, j : j + 2].mean((2, 3)) for i in (0, 2) for j in (0, 2, 4)]
    expected = torch.stack(
        [torch.stack([functional.cosine_similarity(a, b) for b in cells], 1) for a in cells], 1
    )
    torch.testing.assert_close(self_similarity(x, 2)[:, 0], expected)
    assert self_similarity(x, 16).shape == (2, 1, 1, 1)


def test_the_memory_is_a_convolutional_lstm():
    torch.manual_seed(0)
    memory = ConvLSTM().double()
    sequence = [torch.randn(1, 1, 4, 4, dtype=torch.float64) for _ in range(2)]
    hidden = cell = torch.zeros(1, 4, 4, 4, dtype=torch.float64)
    for x in sequence:
        gates = functional.conv2d(
            torch.cat((x, hidden), 1), memory.gates.weight, memory.gates.bias, padding=1
        )
        write, keep, show = (1 / (1 + torch.exp(-gates[:, 4 * k : 4 * k + 4])) for k in range(3))
        cell = keep * cell + write * torch.tanh(gates[:, 12:])
        hidden = show * torch.tanh(cell)
    torch.testing.assert_close(memory(sequence), torch.cat((hidden, cell), 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("teacher", "frames", "terms"),
    [
        ("none", 5, {"auxiliary", "motion"}),
        ("none", 1, {"auxiliary"}),
        (TEACHER, 5, {"auxiliary", "motion", "teacher", "distillation"}),
        (TEACHER, 2, {"auxiliary", "motion", "teacher", "distillation"}),
        (TEACHER, 1, {"auxiliary", "teacher", "distillation"}),
    ],
)
def test_a_clip_gives_the_terms_that_its_frames_allow(teacher, frames, terms):
    net = small(teacher)
    out, labels = net(clip(frames)), torch.randint(5, (2, 32, 48))
    assert set(out.aux) == terms
    net.loss(out, labels).backward()
    assert [name for name, p in net.named_parameters() if p.requires_grad and p.grad is None] == []
    assert net.eval()(clip(frames)).aux == {}


@pytest.mark.slow
def test_the_loss_is_the_sum_of_its_terms():
    net = small(TEACHER)
    out, labels = net(clip()), torch.randint(5, (2, 32, 48))
    parts = {name: out._replace(aux={name: mask}) for name, mask in out.aux.items()}
    alone = net.loss(out._replace(aux={}), labels)
    torch.testing.assert_close(
        net.loss(out, labels),
        alone + sum(net.loss(part, labels) - alone for part in parts.values()),
    )
    torch.testing.assert_close(
        net.loss(parts["teacher"], labels) - alone, cross_entropy(out.aux["teacher"], labels)
    )
    torch.testing.assert_close(net.loss(parts["motion"], labels) - alone, out.aux["motion"])
    nothing = torch.full_like(labels, VOID)
    torch.testing.assert_close(net.loss(out, nothing), out.aux["motion"] + out.aux["distillation"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "name"), [({"motion": 0.2}, "motion"), ({"distillation": 0.2}, "distillation")]
)
def test_the_weights_are_options(options, name):
    found = []
    for net in (small(TEACHER), small(TEACHER, **options)):
        torch.manual_seed(3)
        found.append(net(clip()).aux[name])
    torch.testing.assert_close(2 * found[0], found[1])


@pytest.mark.slow
def test_the_teacher_learns_from_the_labels_alone_and_the_student_from_the_teacher():
    net = small(TEACHER)
    out = net(clip())
    out.aux["distillation"].backward()
    assert all(p.grad is None for p in net.teacher.parameters())
    assert all(p.grad is not None for p in net.backbone.parameters())


def test_a_head_without_a_context_is_refused():
    with pytest.raises(UsageError, match="psp or fcn"):
        small(head="hrnet-head")
