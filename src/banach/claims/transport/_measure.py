"""What the claims of this family watch."""

from typing import Any

import jax.numpy as jnp


def marginal_error(problem: Any, point: Any) -> Any:
    """||P 1 - a||_1 + ||P' 1 - b||_1, at most 1e6: P of a far point overflows."""
    r, c = problem.sums(point.x)
    off = jnp.sum(jnp.abs(r - problem.a)) + jnp.sum(jnp.abs(c - problem.b))
    return jnp.minimum(off, 1e6)


def plan(problem: Any, point: Any) -> Any:
    """P."""
    return problem.plan(point.x)
