"""Tables of a report: columns, cells and legends as CSV, Markdown and LaTeX."""
