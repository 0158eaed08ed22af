"""Rendering of a summary: one view, shown as tables, figures and pages."""

# Must come before any other import of matplotlib.
import msaf_bench.report.backend  # noqa: F401  # pyright: ignore[reportUnusedImport]
