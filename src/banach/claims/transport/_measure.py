"""What the claims of this family watch."""

from typing import Any

import jax.numpy as jnp


def marginal_error(problem: Any, point: Any) -> Any:
    """||P 1 - a||_1 + ||P' 1 - b||_1."""
    r, c = problem.sums(point.x)
    return jnp.sum(jnp.abs(r - problem.a)) + jnp.sum(jnp.abs(c - problem.b))


def plan(problem: Any, point: Any) -> Any:
    """P."""
    return problem.plan(point.x)
