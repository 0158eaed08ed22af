"""From records to what people read: a summary, and from it tables, figures and one page."""

# The backend comes first, before anything else imports matplotlib.
import msaf_bench.report.backend  # noqa: F401  # pyright: ignore[reportUnusedImport]
from msaf_bench.findings.summarise import Summary, summarise
from msaf_bench.report.render import render
from msaf_bench.report.strip import Strip

__all__ = ["Strip", "Summary", "render", "summarise"]
