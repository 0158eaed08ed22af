"""The parts, by slot."""

from msaf_bench.components.align import DeformableAlign, NoAlign
from msaf_bench.components.assign import MeanOfMasks, OneHead, SemanticAssignment
from msaf_bench.components.backbone import resnet10, resnet18, resnet50, resnet101
from msaf_bench.components.flow import DISFlow, ZeroFlow
from msaf_bench.components.head import FCNHead, PSPHead
from msaf_bench.components.motion import DecoupledTransformer, Still, VanillaTransformer
from msaf_bench.components.state import Concat, NoState, StageTransformer
from msaf_bench.registry import Slot


def slots() -> dict[str, Slot]:
    """Every built-in component: this list is the whole of it."""
    return {
        "backbone": Slot("backbone", {"resnet10": resnet10, "resnet18": resnet18, "resnet50": resnet50, "resnet101": resnet101}),
        "motion": Slot("motion", {"none": Still, "vanilla": VanillaTransformer, "decoupled": DecoupledTransformer}),
        "align": Slot("align", {"none": NoAlign, "dcn": DeformableAlign}),
        "state": Slot("state", {"none": NoState, "concat": Concat, "stage": StageTransformer}),
        "assign": Slot("assign", {"none": OneHead, "mean": MeanOfMasks, "semantic": SemanticAssignment}),
        "head": Slot("head", {"fcn": FCNHead, "psp": PSPHead}),
        "flow": Slot("flow", {"zero": ZeroFlow, "dis": DISFlow}),
        "teacher": Slot("teacher", {}),
    }
