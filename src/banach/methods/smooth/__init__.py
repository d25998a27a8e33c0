"""Minimise a differentiable function."""
