"""A differentiable function under equations, inequalities and bounds."""
