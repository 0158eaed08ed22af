"""Optical flow between two frames of a clip."""
