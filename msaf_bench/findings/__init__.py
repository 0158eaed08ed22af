"""From records to numbers: every value of a report, without formatting."""
