"""Methods for constrained problems."""
