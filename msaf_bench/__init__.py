"""Benchmarking and ablation for video semantic segmentation, built around Motion-state Alignment
(MSAF).
"""

from importlib import import_module
from importlib.metadata import version
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
    from msaf_bench.architectures.network import VideoNetwork

    __version__: str

__all__ = [
    "VideoNetwork",
    "__version__",
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
    "VideoNetwork": "msaf_bench.architectures.network",
    "ablate": "msaf_bench.ablation",
    "build": "msaf_bench.architectures",
    "builtin": "msaf_bench.architectures",
}

if not TYPE_CHECKING:  # a type checker sees the names above, and that there are no others

    def __getattr__(name: str) -> object:
        if name in _LAZY:
            return getattr(import_module(_LAZY[name]), name)
        if name == "__version__":
            return version("msaf-bench")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
