"""Frank-Wolfe steps on sets of few vertices: a weight for each, the step by it."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.facts import Facts
from banach.core.hyperparameters import Real, upper
from banach.core.method import Method, Refusal
from banach.core.problem import Problem
from banach.methods.composite import _curvature
from banach.terms.sets import L1Ball, Simplex

Scalar = Float[Array, ""]


class VertexState(eqx.Module):
    """Iterate with f and gradient, weights, the radius, L so far, and what it cost."""

    x: PyTree
    f: Scalar
    g: PyTree
    weights: Float[Array, " k"]
    radius: Scalar
    lipschitz: Scalar
    trials: Int[Array, ""]
    lmos: Int[Array, ""]
    stuck: Bool[Array, ""]


class VertexMethod(Method):
    """A method of weights on vertices; which direction, the method itself says."""

    lipschitz: eqx.AbstractVar[Real]

    @classmethod
    def suggest(cls, problem: Problem, facts: Facts, **given: Any) -> Method | Refusal:
        """From the declared L, else from 1; refused but on the simplex and l1 ball."""
        if not isinstance(getattr(problem, "term", None), Simplex | L1Ball):
            return Refusal(
                "a set of few vertices",
                f"{cls.card.name} keeps a weight for each vertex: use bn.Simplex or "
                "bn.L1Ball as the term, or for other sets frank_wolfe",
            )
        known = upper(facts, "L")
        return cls(**{"lipschitz": 1.0 if known is None else known, **given})

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        x = tree.ravel(start.x)[0]
        r = jnp.sum(
            abs(tree.ravel(problem.lmo(jax.tree.map(jnp.ones_like, start.x)))[0])
        )
        w = corners(problem, x / r)
        # What is left of the ball is spread over all, whose mean is 0.
        w = jnp.maximum(w, 0)
        w = w + (1 - jnp.sum(w)) / w.size if w.size > x.size else w
        L, one = jnp.asarray(self.lipschitz, x.dtype), jnp.ones((), jnp.int32)
        f, no = jnp.asarray(f, x.dtype), jnp.asarray(False)
        return VertexState(start.x, f, g, w, r, L, one, one, no)

    def calls(self, state):
        return {"value": state.trials, "grad": state.trials, "lmo": state.lmos}


def corners(problem: Problem, v: Array) -> Array:
    """<v, e> of each vertex e, of radius 1."""
    simplex = isinstance(problem.term, Simplex)
    return v if simplex else jnp.concatenate([v, -v])


def ends(problem: Problem, state: VertexState) -> tuple[Array, Array, Array]:
    """<g, v> of each vertex v, the vertex to move to, and the one to move away from."""
    slopes = state.radius * corners(problem, tree.ravel(state.g)[0])
    to = jnp.argmax(corners(problem, tree.ravel(problem.lmo(state.g))[0]))
    away = jnp.argmax(jnp.where(state.weights > 0, slopes, -jnp.inf))
    return slopes, to, away


def moved(
    problem: Problem, state: VertexState, d: Array, gap: Scalar, most: Scalar, away: Any
) -> VertexState:
    """x + t d on the weights, t = min(gap / (L ||d||^2), most) (Pedregosa et al. 2020).

    L begins at 0.9 of the last and doubles until its model bounds f; at t = `most` the
    vertex `away` is dropped.
    """
    x, back = tree.ravel(state.x)
    old = state.x, state.f, state.g

    def place(w):
        y = w if w.size == x.size else w[: x.size] - w[x.size :]
        return state.radius * y

    square = tree.vdot(place(d), place(d))

    def trial(carry):
        L, _, _, n = carry
        t = jnp.minimum(gap / jnp.where(square > 0, L * square, 1), most)
        w = jnp.maximum(state.weights + t * d, 0)
        w = jnp.where((jnp.arange(w.size) == away) & (t >= most), 0, w)
        y = back(place(w))
        f, g = problem.value_and_grad(y)
        new = (y, jnp.asarray(f, x.dtype), g)
        ok = _curvature.bounded(L, old, new)
        return jnp.where(ok, L, 2 * L), (*new, w), ok, n + 1

    kept = (*old, state.weights)
    begin = 0.9 * state.lipschitz, kept, jnp.asarray(False), jnp.zeros((), jnp.int32)
    L, new, ok, n = jax.lax.while_loop(lambda c: ~c[2] & (c[3] < 60), trial, begin)
    y, f, g, w = tree.where(ok, new, kept)
    stuck = tree.max_abs(tree.sub(y, state.x)) == 0
    spent = state.trials + n, state.lmos + 1
    return VertexState(y, f, g, w, state.radius, L, *spent, stuck)
