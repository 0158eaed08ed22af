"""Frames: their files, and the numbers in their names."""
