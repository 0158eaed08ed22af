"""Backbones: feature maps of an image."""
