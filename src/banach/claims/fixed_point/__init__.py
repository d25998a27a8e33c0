"""Claims of the fixed-point family."""
