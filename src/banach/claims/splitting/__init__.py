"""Claims of the splitting family."""
