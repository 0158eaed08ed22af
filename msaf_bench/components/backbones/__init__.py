"""Backbones: an image to its feature maps."""
