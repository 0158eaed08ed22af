"""Benchmarking and ablation for video semantic segmentation, built around Motion-state Alignment
(MSAF).
"""

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
    from msaf_bench.architectures import build, builtin
    from msaf_bench.architectures.network import VideoNetwork

    __version__: str

__all__ = [
    "VideoNetwork",
    "__version__",
    "build",
    "builtin",
    "list_presets",
    "list_systems",
    "list_tables",
    "read_conditions",
    "read_system",
    "read_table",
]


if not TYPE_CHECKING:  # a type checker sees the names above, and that no other name exists

    def __getattr__(name: str) -> object:
        # torch takes a second to import; those who only read specs should not wait for it.
        if name in ("build", "builtin"):
            from msaf_bench import architectures

            return getattr(architectures, name)
        if name == "VideoNetwork":
            from msaf_bench.architectures.network import VideoNetwork

            return VideoNetwork
        if name == "__version__":
            from importlib.metadata import version

            return version("msaf-bench")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
