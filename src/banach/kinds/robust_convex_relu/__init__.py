"""Adversarial training of a two-layer ReLU network as a convex program."""
