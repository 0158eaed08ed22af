"""Speed: latency of a frame, measured in a few fresh processes that time all systems in interleaved
rounds.
"""
