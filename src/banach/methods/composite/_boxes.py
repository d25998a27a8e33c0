"""Boxes seen through their projection, and Armijo's search within them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.method import Refusal
from banach.core.problem import Problem

Scalar = Float[Array, ""]
SIGMA = 1e-4


def refused(problem: Problem, name: str) -> Refusal | None:
    """Why the set of the problem is no box; None where it is one."""
    term = getattr(problem, "term", None)
    if getattr(problem, "boxed", False) or getattr(term, "separable", False):
        return None
    return Refusal(
        "a box",
        f"{name} holds coordinates one by one: use a box (bn.Box, bn.Nonnegative, "
        "bn.LInfBall) as the term, or for other sets proximal_gradient",
    )


def sides(problem: Problem, x: PyTree) -> tuple[Array, Array]:
    """What -inf and inf are projected to: the sides, in the order of tree.ravel."""
    v, back = tree.ravel(x)
    low, high = (problem.project(back(jnp.full_like(v, s * jnp.inf))) for s in (-1, 1))
    return tree.ravel(low)[0], tree.ravel(high)[0]


def backtrack(
    problem: Problem, here: Any, path: Callable, promise: Callable
) -> tuple[Any, Bool[Array, ""], Int[Array, ""]]:
    """The first of t = 1, 1/2, 1/4, ... with f(x(t)) <= f - SIGMA promise(t, x(t)).

    (x, f, g) there or `here`, whether there is one, and the trials. Where the change of
    f drowns in rounding it is read from both gradients (Hager and Zhang 2005).
    """
    x, f, g = here

    def trial(carry):
        t, _, _, n = carry
        new = path(t)
        f_new, g_new = problem.value_and_grad(new)
        f_new, p = jnp.asarray(f_new, f.dtype), SIGMA * promise(t, new)
        noise = 64 * jnp.finfo(f.dtype).eps * jnp.maximum(abs(f_new), abs(f))
        mean = tree.vdot(tree.add(g, g_new), tree.sub(new, x)) / 2
        ok = (f_new <= f - p) | ((f_new - f <= noise) & (mean <= -p))
        ok = ok & (p >= 0) & jnp.isfinite(f_new) & tree.all_finite(g_new)
        return t / 2, (new, f_new, g_new), ok, n + 1

    start = jnp.ones((), f.dtype), here, jnp.asarray(False), jnp.zeros((), jnp.int32)
    _, new, ok, n = jax.lax.while_loop(lambda c: ~c[2] & (c[3] < 50), trial, start)
    return tree.where(ok, new, here), ok, n
