"""What is measured of a system, one module a quantity."""
