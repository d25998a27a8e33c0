"""Mirror descent with the entropy: multiplicative steps on the simplex."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.method import Method, Refusal
from banach.terms.sets import Simplex


class MirrorDescentState(eqx.Module):
    """The best iterate with f, the present one, its gradient, r, L, the step number."""

    best: PyTree
    f: Float[Array, ""]
    x: PyTree
    g: PyTree
    radius: Float[Array, ""]
    slope: Float[Array, ""]
    k: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"value", "grad", "lmo"},
    assumes={"convex"},
    paper="beck2003mirror",
    cost={"value": 1, "grad": 1},
    init_cost={"value": 1, "grad": 1, "lmo": 1},
)
class MirrorDescent(Method):
    """Steps in the geometry of the entropy, on the simplex of n vertices and radius r.

    x+_j = r x_j exp(-t_k r g_j) / sum_i x_i exp(-t_k r g_i)

    t_k = sqrt(2 log n / k) / (r L)

    The best of k iterates, which is the point, has f - f* <= r L sqrt(2 log n / k) for
    steps that are constant with this k (L bounds |g_j|), and a factor of log k more for
    steps that fall: the dimension enters by its logarithm. L is the largest |g_j| so
    far (ours: the paper knows it). From the centre of the simplex; f may have kinks.

    Fails by being slow, and where an entry begins at 0: it stays 0.
    """

    @classmethod
    def suggest(cls, problem, facts):
        """Without hyperparameters; refused where the set is no simplex."""
        if isinstance(getattr(problem, "term", None), Simplex):
            return cls()
        return Refusal(
            "a simplex",
            "mirror_descent steps by the entropy: use bn.Simplex as the term, or for "
            "other sets frank_wolfe",
        )

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        ones = jax.tree.map(jnp.ones_like, start.x)
        r, f = tree.total(problem.lmo(ones)), jnp.asarray(f, tree.dtype(start.x))
        one, no = jnp.ones((), jnp.int32), jnp.asarray(False)
        return MirrorDescentState(start.x, f, start.x, g, r, 0 * r, one, no)

    def step(self, problem, state, key):
        (x, back), g = tree.ravel(state.x), tree.ravel(state.g)[0]
        slope = jnp.maximum(state.slope, jnp.max(abs(g)))
        n, k = (jnp.asarray(v, x.dtype) for v in (x.size, state.k))
        t = jnp.sqrt(2 * jnp.log(n) / k) / jnp.where(slope > 0, slope, 1)
        grown = x * jnp.exp(-t * g)
        grown = state.radius * grown / jnp.sum(grown)
        new = back(grown)
        f, g = problem.value_and_grad(new)
        f = jnp.asarray(f, state.f.dtype)
        best, least = tree.where(f < state.f, (new, f), (state.best, state.f))
        still = jnp.all(grown == x)
        return MirrorDescentState(
            best, least, new, g, state.radius, slope, state.k + 1, still
        )
