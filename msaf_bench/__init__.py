"""Benchmarking and ablation for video semantic segmentation, built around Motion-state Alignment
(MSAF).
"""

from typing import TYPE_CHECKING, Any

from msaf_bench.catalog import (
    list_presets,
    list_systems,
    list_tables,
    read_conditions,
    read_system,
    read_table,
)

if TYPE_CHECKING:
    from msaf_bench.architectures import build, builtin

__all__ = [
    "build",
    "builtin",
    "list_presets",
    "list_systems",
    "list_tables",
    "read_conditions",
    "read_system",
    "read_table",
]


def __getattr__(name: str) -> Any:
    # torch takes a second to import; those who only read specs should not wait for it.
    if name in ("build", "builtin"):
        from msaf_bench import architectures

        return getattr(architectures, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
