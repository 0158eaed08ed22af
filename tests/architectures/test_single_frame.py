import torch

from msaf_bench.architectures import build
from msaf_bench.spec import System


def test_pspnet18_with_etcs_head_is_etcs_network(golden):
    system = System(architecture="single-frame", slots={"backbone": "resnet18", "head": {"use": "psp", "width": 256}})
    net = golden.fill(build(system, 19))
    golden.check("etc_pspnet18_97x129", net(golden.frame(0, 97, 129)[None]).logits)
    stages = net.backbone(golden.frame(0, 97, 129))
    golden.check("etc_pspnet18_logits_stride8", net.head(stages))
    golden.check("etc_pspnet18_aux_stride8", net.auxiliary(stages))
    assert sum(p.numel() for p in net.parameters()) == 14_399_590
    assert torch.isfinite(net.loss(net(golden.frame(0, 97, 129)[None]), torch.zeros(1, 97, 129).long()))
