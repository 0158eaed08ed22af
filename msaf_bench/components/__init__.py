"""Built-in components, by slot."""

from msaf_bench.components.align import DeformableAlign, NoAlign
from msaf_bench.components.assign import MeanOfMasks, OneHead, SemanticAssignment
from msaf_bench.components.backbones.densenet import LinearHead, fc_densenet103
from msaf_bench.components.backbones.erfnet import ERFNet, ERFNetHead
from msaf_bench.components.backbones.hrnet import HRNetHead, hrnet
from msaf_bench.components.backbones.pyramid import psp18, psp50, psp101
from msaf_bench.components.backbones.resnet import resnet10, resnet18, resnet34, resnet50, resnet101
from msaf_bench.components.backbones.segnet import SegNetHead, segnet
from msaf_bench.components.backbones.vgg import context8, context10, dilation8
from msaf_bench.components.flows.classical import DISFlow, ZeroFlow
from msaf_bench.components.flows.flownet import flownet_c, flownet_s
from msaf_bench.components.flows.flownet2 import flownet2
from msaf_bench.components.heads import FCNHead, LatePSPHead, PSPHead
from msaf_bench.components.motion import (
    Concatenation,
    DecoupledTransformer,
    Still,
    VanillaTransformer,
)
from msaf_bench.components.state import Concat, NoState, StageTransformer
from msaf_bench.components.teacher import NoTeacher, PSPTeacher
from msaf_bench.registry import Slot


def slots() -> dict[str, Slot]:
    """Return all built-in components by slot; each one is listed here."""
    return {
        "backbone": Slot(
            "backbone",
            {
                "resnet10": resnet10,
                "resnet18": resnet18,
                "resnet34": resnet34,
                "resnet50": resnet50,
                "resnet101": resnet101,
                "hrnet": hrnet,
                "psp18": psp18,
                "psp50": psp50,
                "psp101": psp101,
                "erfnet": ERFNet,
                "dilation8": dilation8,
                "segnet": segnet,
                "fc-densenet103": fc_densenet103,
            },
        ),
        "motion": Slot(
            "motion",
            {
                "none": Still,
                "concat": Concatenation,
                "vanilla": VanillaTransformer,
                "decoupled": DecoupledTransformer,
            },
        ),
        "align": Slot("align", {"none": NoAlign, "dcn": DeformableAlign}),
        "state": Slot("state", {"none": NoState, "concat": Concat, "stage": StageTransformer}),
        "assign": Slot(
            "assign", {"none": OneHead, "mean": MeanOfMasks, "semantic": SemanticAssignment}
        ),
        "head": Slot(
            "head",
            {
                "fcn": FCNHead,
                "psp": PSPHead,
                "psp-late": LatePSPHead,
                "hrnet-head": HRNetHead,
                "erfnet-head": ERFNetHead,
                "context8": context8,
                "context10": context10,
                "segnet-head": SegNetHead,
                "linear": LinearHead,
            },
        ),
        "flow": Slot(
            "flow",
            {
                "zero": ZeroFlow,
                "dis": DISFlow,
                "flownet-s": flownet_s,
                "flownet-c": flownet_c,
                "flownet2": flownet2,
            },
        ),
        "teacher": Slot("teacher", {"none": NoTeacher, "pspnet": PSPTeacher}),
    }
