"""Numbers of a report, computed from records and not yet formatted."""
