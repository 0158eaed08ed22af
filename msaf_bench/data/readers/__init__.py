"""Readers of the data sets' folders and archives."""
