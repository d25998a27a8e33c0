"""Fixed points of a map."""
