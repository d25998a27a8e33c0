"""Methods for systems of equations F(x) = 0."""
