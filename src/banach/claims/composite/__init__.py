"""Claims of the composite family."""
