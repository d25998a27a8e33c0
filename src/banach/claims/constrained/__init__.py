"""Claims of the constrained family."""
