"""Claims of distributed methods."""
