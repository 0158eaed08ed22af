"""Measurements of a system, one module per quantity."""
