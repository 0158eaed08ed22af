"""Temporal consistency: how far predictions agree along the motion of a video."""
