"""Benchmarking and ablation for video semantic segmentation, built around Motion-state Alignment
(MSAF).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from msaf_bench.catalog import (
    list_presets,
    list_systems,
    list_tables,
    read_conditions,
    read_system,
    read_table,
)

if TYPE_CHECKING:
    from msaf_bench.ablation import ablate
    from msaf_bench.architectures import build, builtin

__all__ = [
    "ablate",
    "build",
    "builtin",
    "list_presets",
    "list_systems",
    "list_tables",
    "read_conditions",
    "read_system",
    "read_table",
]


#: where the names lie that need torch, which takes a second to import
_LAZY = {
    "ablate": "msaf_bench.ablation",
    "build": "msaf_bench.architectures",
    "builtin": "msaf_bench.architectures",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
