"""Hyper-parameter search, with the same number of attempts for every row of a table."""
