"""Methods for problems with constraints that have no closed prox."""
