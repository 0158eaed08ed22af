"""Claims of the paper, and the verdict of our numbers on each."""
