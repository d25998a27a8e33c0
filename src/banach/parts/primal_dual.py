"""What methods for f(x) + g(x) + h(K x) share: steps, a dual start, the dual prox."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from banach.core.hyperparameters import upper
from banach.core.method import Refusal


def steps(problem: Any, facts: Any, tau: Any, sigma: Any) -> tuple[Any, Any] | Refusal:
    """(tau, sigma) with 1 / tau - sigma ||K||^2 >= L / 2, where they are not given."""
    L: Any = facts.L
    norm: Any = upper(facts, "norm")
    if L is None and tau is None:
        return Refusal("L", "declare L=... of f, or give tau and sigma")
    alone = problem.f is None
    if sigma is None:
        if tau is not None:
            sigma = (1 / tau - (0 if L is None else L / 2)) / norm**2
        else:
            sigma = 1 / norm if alone else L / norm**2
    if tau is None and L is not None:
        tau = 1 / (L / 2 + sigma * norm**2)
    return tau, sigma


def started(problem: Any, start: Any) -> Array:
    """The dual of a start, or 0."""
    zero = jnp.asarray(problem.zero_dual())
    return zero if start.dual is None else jnp.asarray(start.dual, zero.dtype)


def dual_prox(problem: Any, v: Array, sigma: Any) -> Array:
    """prox_{sigma h*}(v) = v - sigma prox_{h / sigma}(v / sigma), by Moreau."""
    return v - sigma * problem.outer_prox(v / sigma, 1 / sigma)
