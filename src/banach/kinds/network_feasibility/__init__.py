"""Training of a network as a feasibility problem."""
