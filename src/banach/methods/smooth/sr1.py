"""Symmetric rank one (SR1) in a trust region."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, real
from banach.core.method import Method
from banach.methods.smooth._inverse_matrix import too_large
from banach.methods.smooth._region import Region, advance, begin


class Sr1State(Region):
    """And the matrix B; `blank`: it is still a multiple of I."""

    matrix: Float[Array, "n n"]
    blank: Bool[Array, ""]


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="conn1991convergence",
    cost={"value": 1, "grad": 1},
    init_cost={"value": 1, "grad": 1},
)
class Sr1(Method):
    """A model whose curvature is corrected by one rank, where trust reaches.

    p = argmin g.p + p.Bp / 2 over ||p|| <= radius,  x+ = x + p if f fell enough,
    B+ = B + r r' / r.p,  r = (g(x + p) - g) - B p

    B may be indefinite, as the Hessian may, hence the trust region. It learns from
    rejected steps too, and stays where |r.p| < 1e-8 ||r|| ||p||. B begins as ||g|| I
    (a first step of length 1) and becomes (||y|| / ||p||) I, y = g(x + p) - g, before
    the first correction. With an infinite first `radius`: full steps until one fails.

    Fails to be affordable for many unknowns (n^2 memory, n^3 work a step): use lbfgs.
    """

    radius: Real = real(infinite=True)

    @classmethod
    def suggest(cls, problem, facts):
        return too_large("sr1", problem) or cls(radius=float("inf"))

    def init(self, problem, start, key):
        here = begin(problem, start.x, self.radius)
        size = tree.norm(here.g)
        matrix = jnp.eye(here.g.size, dtype=here.g.dtype) * jnp.where(size > 0, size, 1)
        return Sr1State(**vars(here), matrix=matrix, blank=jnp.asarray(True))

    def step(self, problem, state, key):
        there, s, y, _ = advance(problem, state, state.matrix)
        size, change = tree.norm(s), tree.norm(y)
        seen = jnp.isfinite(change) & (change > 0) & (size > 0)
        scaled = jnp.eye(s.size, dtype=s.dtype) * change / jnp.where(seen, size, 1)
        matrix = jnp.where(state.blank & seen, scaled, state.matrix)
        r = y - jnp.matmul(matrix, s, precision=tree.PRECISION)
        bend = jnp.vdot(r, s)
        keep = seen & (jnp.abs(bend) >= 1e-8 * tree.norm(r) * size)
        keep = keep & jnp.isfinite(1 / bend) & jnp.all(jnp.isfinite(r))
        r = jnp.where(keep, r, 0)
        matrix = matrix + jnp.outer(r, r) / jnp.where(keep, bend, 1)
        return Sr1State(**vars(there), matrix=matrix, blank=state.blank & ~seen)
