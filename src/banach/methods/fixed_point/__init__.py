"""Methods for fixed points x = T(x)."""
