"""Symmetric rank one (SR1) in a trust region."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.methods.smooth._inverse_matrix import too_large
from banach.parts import newton, trust_region


class Sr1State(eqx.Module):
    """Point, value, gradient, the matrix B, radius; `blank`: B is a multiple of I."""

    x: PyTree
    f: Float[Array, ""]
    g: Float[Array, " n"]
    matrix: Float[Array, "n n"]
    blank: Bool[Array, ""]
    radius: Float[Array, ""]
    calls: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="conn1991convergence",
)
class Sr1(Method):
    """A model whose curvature is corrected by one rank, where trust reaches.

    p = argmin g.p + p.Bp / 2 over ||p|| <= radius,  x+ = x + p if f fell enough,
    B+ = B + r r' / r.p,  r = (g(x + p) - g) - B p

    B may be indefinite, as the Hessian may: that is why it stands in a trust region
    and not in front of a line search. It learns from rejected steps too, and is left
    as it is where |r.p| < 1e-8 ||r|| ||p||. B begins as ||g|| I (a first step of
    length 1) and becomes (||y|| / ||p||) I, y = g(x + p) - g, before the first
    correction. On a quadratic B is the Hessian after n independent steps.

    `radius` is the first radius; infinite: full steps until one fails.

    Fails to be affordable for many unknowns (n^2 memory, n^3 work a step): use lbfgs.
    """

    radius: Float[Array, ""] = real(infinite=True)

    @classmethod
    def suggest(cls, problem, facts):
        return too_large("sr1", problem) or cls(radius=float("inf"))

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        g = tree.ravel(g)[0]
        size = tree.norm(g)
        return Sr1State(
            x=start.x,
            f=jnp.asarray(f, g.dtype),
            g=g,
            matrix=jnp.eye(g.size, dtype=g.dtype) * jnp.where(size > 0, size, 1),
            blank=jnp.asarray(True),
            radius=jnp.asarray(self.radius, g.dtype),
            calls=jnp.ones((), jnp.int32),
            stuck=jnp.asarray(False),
        )

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        p, predicted, bounded = newton.trusted(state.matrix, x, state.g, state.radius)
        trial = x + p
        f, g = problem.value_and_grad(back(trial))
        g = tree.ravel(g)[0]
        rho = newton.agreement(state.f, f, state.g, g, p, predicted)
        accept = rho > 1e-4
        size = tree.norm(p)
        reach = jnp.where(bounded, size, state.radius)
        matrix, seen = _corrected(state.matrix, state.blank, p, g - state.g)
        return Sr1State(
            x=tree.where(accept, back(trial), state.x),
            f=jnp.where(accept, f, state.f),
            g=jnp.where(accept, g, state.g),
            matrix=matrix,
            blank=state.blank & ~seen,
            radius=trust_region.update_radius(reach, rho, size, bounded),
            calls=state.calls + 1,
            stuck=jnp.all(trial == x) | ~(state.radius > 0),
        )

    def calls(self, state):
        return {"value": state.calls, "grad": state.calls}


def _corrected(matrix, blank, s, y):
    """(B after a step s that changed the gradient by y, whether it learnt)."""
    size, change = tree.norm(s), tree.norm(y)
    seen = jnp.isfinite(change) & (change > 0) & (size > 0)
    scaled = jnp.eye(s.size, dtype=s.dtype) * change / jnp.where(seen, size, 1)
    matrix = jnp.where(blank & seen, scaled, matrix)
    r = y - jnp.matmul(matrix, s, precision=tree.PRECISION)
    bend = jnp.vdot(r, s)
    keep = seen & (jnp.abs(bend) >= 1e-8 * tree.norm(r) * size)
    keep = keep & jnp.isfinite(1 / bend) & jnp.all(jnp.isfinite(r))
    r = jnp.where(keep, r, 0)
    return matrix + jnp.outer(r, r) / jnp.where(keep, bend, 1), seen
