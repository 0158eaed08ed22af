"""The paper's claims, and the verdict of our numbers on each."""
