"""Claims of the smooth family."""
