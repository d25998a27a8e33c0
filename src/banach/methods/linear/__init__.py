"""Methods for linear systems."""
