"""Many trials from one plan, on this machine or on a Ray cluster."""
