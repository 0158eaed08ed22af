"""Benchmarking and ablation for video semantic segmentation, built around Motion-state Alignment
(MSAF).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msaf_bench.ablation import ablate
    from msaf_bench.analyzers.attention.study import attention_cost
    from msaf_bench.analyzers.consistency.scoring import score_tc
    from msaf_bench.analyzers.cost.counted import cost
    from msaf_bench.analyzers.evaluation import evaluate
    from msaf_bench.analyzers.miou_scoring import score_miou
    from msaf_bench.analyzers.speed.frame_latency import latency
    from msaf_bench.architectures import build, builtin
    from msaf_bench.architectures.network import VideoNetwork
    from msaf_bench.catalog import (
        list_data_sets,
        list_presets,
        list_systems,
        list_tables,
        read_conditions,
        read_data_set,
        read_system,
        read_table,
    )
    from msaf_bench.exchange.programs import export
    from msaf_bench.findings.run import Run, load_run

    __version__: str

__all__ = [
    "Run",
    "VideoNetwork",
    "__version__",
    "ablate",
    "attention_cost",
    "build",
    "builtin",
    "cost",
    "evaluate",
    "export",
    "latency",
    "list_data_sets",
    "list_presets",
    "list_systems",
    "list_tables",
    "load_run",
    "read_conditions",
    "read_data_set",
    "read_system",
    "read_table",
    "score_miou",
    "score_tc",
]


#: Module of each name, imported at the first use of the name. The command line answers in 0.25 s;
#: importing torch alone takes 1 s.
_LAZY = {
    "Run": "msaf_bench.findings.run",
    "VideoNetwork": "msaf_bench.architectures.network",
    "ablate": "msaf_bench.ablation",
    "attention_cost": "msaf_bench.analyzers.attention.study",
    "build": "msaf_bench.architectures",
    "builtin": "msaf_bench.architectures",
    "cost": "msaf_bench.analyzers.cost.counted",
    "evaluate": "msaf_bench.analyzers.evaluation",
    "export": "msaf_bench.exchange.programs",
    "latency": "msaf_bench.analyzers.speed.frame_latency",
    "list_data_sets": "msaf_bench.catalog",
    "list_presets": "msaf_bench.catalog",
    "list_systems": "msaf_bench.catalog",
    "list_tables": "msaf_bench.catalog",
    "load_run": "msaf_bench.findings.run",
    "read_conditions": "msaf_bench.catalog",
    "read_data_set": "msaf_bench.catalog",
    "read_system": "msaf_bench.catalog",
    "read_table": "msaf_bench.catalog",
    "score_miou": "msaf_bench.analyzers.miou_scoring",
    "score_tc": "msaf_bench.analyzers.consistency.scoring",
}

if not TYPE_CHECKING:  # hidden from type checkers, so that they report unknown names

    def __getattr__(name: str) -> object:
        if name in _LAZY:
            return getattr(import_module(_LAZY[name]), name)
        if name == "__version__":
            from importlib.metadata import version  # takes 20 ms

            return version("msaf-bench")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return __all__
