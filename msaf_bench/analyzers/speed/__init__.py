"""Latency per frame, measured in fresh processes that time all systems in interleaved rounds."""
