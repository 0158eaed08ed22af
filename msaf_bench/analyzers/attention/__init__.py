"""Cost of attention over three frames: the paper's formulas, exact counts, counters, timing."""
