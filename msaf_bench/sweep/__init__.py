"""Sweeps: all trials of a table."""
