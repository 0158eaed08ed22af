"""One page of all runs below a folder, and the history of each table over commits."""
