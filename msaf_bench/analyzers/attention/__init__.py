"""What attention over three frames costs: the paper's formulas, exact counts, counters, the
clock.
"""
