"""From a summary to what people read: one view, and from it tables, figures and pages."""

# The backend comes first, before anything else imports matplotlib.
import msaf_bench.report.backend  # noqa: F401  # pyright: ignore[reportUnusedImport]
