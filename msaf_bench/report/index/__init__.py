"""Index page of all runs below a folder, with the history of each table over commits."""
