"""SPIDER: a recursive gradient estimate, and steps short enough to trust it."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.core.method import Method, Refusal
from banach.methods.stochastic import _variance_reduction as reduced


class SpiderState(eqx.Module):
    """Iterate, the one before, v there, steps, and gradients of terms so far."""

    x: PyTree
    old: PyTree
    v: PyTree
    t: Int[Array, ""]
    calls: Int[Array, ""]


@method(
    problem="FiniteSum",
    needs={"stochastic_grad"},
    assumes={"smooth"},
    paper="fang2018spider",
    random=True,
)
class Spider(Method):
    """Steps of bounded length along a gradient that is tracked by differences.

    v_k = F'(x_k) every q steps, else v_{k-1} + mean_B(f_i'(x_k) - f_i'(x_{k-1}))
    x_{k+1} = x_k - eta v_k,  eta = min(epsilon / (L n_0 ||v_k||), 1 / (2 L n_0))

    Option II of the finite sum: |B| = `batch` = sqrt(n) / n_0, drawn independently,
    q = n_0 sqrt(n) = n / |B|, rounded up; a batch above sqrt(n) has n_0 = 1. L is that
    of the terms, in mean square. While no step is longer than epsilon / (L n_0), v is
    within epsilon of F' in mean square, and after 4 L n_0 (F(x_0) - F*) / epsilon^2
    steps the mean of ||F'|| over them is at most 5 epsilon, convex or not: of order
    sqrt(n) / epsilon^2 gradients, which is the least there is.

    Once ||v|| < 2 epsilon steps are constant, and this is SpiderBoost (Wang et al.
    2019) or SARAH with a batch of sqrt(n); the default epsilon, not tuned, is soon
    past. Terms are taken as a check sees them. Fails, slowly, where epsilon is far
    below the gradients that are met; where L is too small, it diverges.
    """

    absorbing: ClassVar[bool] = True

    L: Any = real()
    epsilon: Any = real(0.1)
    batch: int = count(static=True)

    @classmethod
    def suggest(cls, problem, facts, batch=None):
        L = reduced.smoothness("spider", problem, facts, 1)
        if isinstance(L, Refusal):
            return L
        return cls(L, batch=max(1, int(problem.n**0.5)) if batch is None else batch)

    def init(self, problem, start, key):
        none, x = jnp.zeros((), jnp.int32), start.x
        return SpiderState(x, x, tree.zeros_like(x), none, none)

    def step(self, problem, state, key):
        x, q = state.x, -(-problem.n // self.batch)
        index = reduced.drawn(problem, self.batch, key)
        whole = state.t % q == 0

        def tracked():
            return tree.add(state.v, reduced.difference(problem, x, state.old, index))

        v = jax.lax.cond(whole, lambda: reduced.full(problem, x), tracked)
        size = tree.norm(v)
        L, epsilon = (jnp.asarray(a, size.dtype) for a in (self.L, self.epsilon))
        per = L * max(problem.n**0.5 / self.batch, 1.0)
        eta = epsilon / (per * jnp.maximum(size, 2 * epsilon))
        calls = state.calls + jnp.where(whole, problem.n, 2 * self.batch)
        return SpiderState(tree.axpy(-eta, v, x), x, v, state.t + 1, calls)

    @property
    def typical(self):
        return {"stochastic_grad": 3 * self.batch}

    def calls(self, state):
        return {"stochastic_grad": state.calls}
