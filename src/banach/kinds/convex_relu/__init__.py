"""Two-layer ReLU networks, trained as a convex program."""
