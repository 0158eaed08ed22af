import pytest
import torch

from msaf_bench.architectures import build
from msaf_bench.components.teacher import NoTeacher, PSPTeacher
from msaf_bench.errors import UsageError


def small():
    torch.manual_seed(0)
    return PSPTeacher(5, backbone="resnet10", width=8, head=16).double().eval()


@pytest.mark.slow
def test_the_default_is_pspnet_101():
    with torch.device("meta"):
        net, teacher = build("pspnet101", 19), PSPTeacher(19).eval()
        pyramid, logits = teacher(torch.empty(1, 3, 65, 129))
    tensors = {
        name: t.shape for name, t in net.state_dict().items() if not name.startswith("auxiliary")
    }
    assert {name: t.shape for name, t in teacher.state_dict().items()} == tensors
    assert pyramid.shape == (1, 4096, 9, 17)
    assert logits.shape == (1, 19, 9, 17)
    assert teacher.active
    assert not NoTeacher().active


def test_a_group_of_the_pyramid_is_classified_as_if_it_stood_for_all():
    """TDNet's teacher: one 3x3 convolution a group, whose sum is normalised; a group alone is taken
    once for each.
    """
    teacher = small()
    pyramid, logits = teacher(torch.randn(2, 3, 32, 48, dtype=torch.float64))
    torch.testing.assert_close(teacher.classify(pyramid), logits)
    first = torch.zeros(pyramid.shape[1], dtype=torch.bool)
    first[:40] = True
    convolution, norm, relu = teacher.head.mix
    groups = [
        torch.nn.functional.conv2d(pyramid[:, keep], convolution.weight[:, keep], padding=1)
        for keep in (first, ~first)
    ]
    torch.testing.assert_close(teacher.head.classifier(relu(norm(groups[0] + groups[1]))), logits)
    alone = teacher.classify(2 * torch.where(first.view(1, -1, 1, 1), pyramid, 0))
    torch.testing.assert_close(alone, teacher.head.classifier(relu(norm(groups[0] + groups[0]))))


def test_an_unknown_backbone_is_named():
    with pytest.raises(UsageError, match="did you mean resnet101"):
        PSPTeacher(5, backbone="resnet1001")
