"""A differentiable function."""
