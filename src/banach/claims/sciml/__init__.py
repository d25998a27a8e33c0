"""Claims of the scientific machine learning family."""
