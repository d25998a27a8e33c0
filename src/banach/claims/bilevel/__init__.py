"""Claims of the bilevel family."""
