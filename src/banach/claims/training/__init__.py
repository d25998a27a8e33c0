"""Claims of the methods that train."""
