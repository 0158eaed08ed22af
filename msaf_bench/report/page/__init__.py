"""Pages of a report, rendered from templates."""
