"""Conjugate gradients, preconditioned, for symmetric positive definite systems."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Open, part
from banach.core.method import Method, Refusal
from banach.parts import preconditioners as recipes


class ConjugateGradientState(eqx.Module):
    """Iterate, recurrent residual, direction, r'z and M, built."""

    x: PyTree
    r: PyTree
    d: PyTree
    rz: Float[Array, ""]
    inverse: recipes.Applied
    stuck: Bool[Array, ""]


@method(
    problem="Linear",
    needs={"matvec", "residual"},
    assumes={"symmetric", "positive_definite"},
    paper="hestenes1952methods",
    rate_of="||x-x*||_A",
    rate=lambda c, t: 2 * (1 - 2 / (1 + math.sqrt(c.condition))) ** t * c.energy,
    cost={"matvec": 1},
    init_cost={"residual": 1},
)
class ConjugateGradient(Method):
    """A-orthogonal directions from the preconditioned residual, exact steps.

    a = r'z / d'A d,  x+ = x + a d,  r+ = r - a A d,  z+ = M^-1 r+,
    d+ = z+ + (r+'z+ / r'z) d

    M is `bn.Plain()`, `bn.Jacobi()` or, on grids, `bn.IncompleteCholesky()` or
    `bn.Multigrid()`, its work not counted. r drifts from b - A x by rounding: only the
    check's residual is believed. Fails slowly where M^-1 A is ill-conditioned.
    """

    preconditioner: recipes.Preconditioner = part(recipes.Preconditioner)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(recipes.suggested(problem.A))

    @classmethod
    def variants(cls, problem, facts):
        return recipes.fitting(problem.A)

    @classmethod
    def variant(cls, name, problem, facts):
        found = recipes.named(name, problem.A)
        return found if isinstance(found, Refusal) else cls(found)

    def init(self, problem, start, key):
        inverse = self.preconditioner.made(problem.A)
        r = problem.residual(start.x)
        z = inverse.apply(r)
        rz, no = tree.vdot(r, z), jnp.asarray(False)
        return ConjugateGradientState(start.x, r, z, rz, inverse, no)

    def step(self, problem, state, key):
        curved = problem.matvec(state.d)
        curvature = tree.vdot(state.d, curved)
        # Also where r is zero, and where the data are not numbers.
        bad = ~((curvature > 0) & (state.rz > 0))
        a = jnp.where(bad, 0, state.rz / jnp.where(bad, 1, curvature))
        r = tree.axpy(-a, curved, state.r)
        z = state.inverse.apply(r)
        rz = tree.vdot(r, z)
        d = tree.axpy(rz / jnp.where(state.rz == 0, 1, state.rz), state.d, z)
        x, old = tree.axpy(a, state.d, state.x), (state.r, state.d, state.rz)
        r, d, rz = tree.where(bad, old, (r, d, rz))
        return ConjugateGradientState(x, r, d, rz, state.inverse, bad)

    def label(self):
        name, M = self.card.name, self.preconditioner
        return name if isinstance(M, Open) else f"{name}:{M.label()}"
