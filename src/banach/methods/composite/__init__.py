"""Methods for a smooth function plus a term with a prox or a linear oracle."""
