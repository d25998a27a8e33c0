"""A smooth function plus a term."""
