"""Temporal consistency: agreement of predictions along the motion of a video."""
