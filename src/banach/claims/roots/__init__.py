"""Claims of the roots family."""
