"""Conjugate gradients, preconditioned, for symmetric positive definite systems."""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Open, part
from banach.core.method import Method, Refusal
from banach.core.problem import Misuse
from banach.parts.preconditioners import RECIPES, Applied, Preconditioner, suggested


class ConjugateGradientState(eqx.Module):
    """Iterate, recurrent residual, direction, r'z, the preconditioner, `stuck`."""

    x: PyTree
    r: PyTree
    d: PyTree
    rz: Float[Array, ""]
    inverse: Applied
    stuck: Bool[Array, ""]


def _bound(c, t):
    root = math.sqrt(c.condition)
    return 2 * ((root - 1) / (root + 1)) ** t * c.energy


@method(
    problem="Linear",
    needs={"matvec", "residual"},
    assumes={"symmetric", "positive_definite"},
    paper="hestenes1952methods",
    rate_of="||x-x*||_A",
    rate=_bound,
    cost={"matvec": 1},
    init_cost={"residual": 1},
)
class ConjugateGradient(Method):
    """A-orthogonal directions from the preconditioned residual, exact steps.

    a = r'z / d'A d,  x+ = x + a d,  r+ = r - a A d,  z+ = M^-1 r+,
    d+ = z+ + (r+'z+ / r'z) d

    ||x_k - x*||_A <= 2 ((sqrt(k) - 1) / (sqrt(k) + 1))^k ||x_0 - x*||_A with the
    condition number k of M^-1 A; in exact arithmetic x_n = x*. `preconditioner`:
    `bn.Plain()`, `bn.Jacobi()`, `bn.IncompleteCholesky()` or `bn.Multigrid()` (the
    latter two on grids); its own work is not counted as products with A.

    r is a recurrence, which drifts from b - A x by rounding: only the check's
    residual is believed. Ends as stalled where d'A d <= 0, which A positive definite
    excludes up to rounding. Fails slowly where M^-1 A is ill-conditioned.
    """

    preconditioner: Preconditioner = part(Preconditioner)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(suggested(problem.A))

    @classmethod
    def variants(cls, problem, facts):
        """Every preconditioner that fits A."""
        fits = [k for k, r in RECIPES.items() if r().refuses(problem.A) is None]
        return tuple(fits)

    @classmethod
    def variant(cls, name, problem, facts):
        """A preconditioner by name."""
        if name not in RECIPES:
            raise Misuse(
                f"no preconditioner is called {name!r}; it is one of "
                f"{', '.join(RECIPES)}"
            )
        recipe = RECIPES[name]()
        no = recipe.refuses(problem.A)
        return cls(recipe) if no is None else Refusal("preconditioner", no)

    def init(self, problem, start, key):
        no = self.preconditioner.refuses(problem.A)
        if no is not None:
            raise Misuse(no)
        inverse = self.preconditioner.build(problem.A)
        r = problem.residual(start.x)
        z = inverse.apply(r)
        return ConjugateGradientState(
            start.x, r, z, tree.vdot(r, z), inverse, jnp.asarray(False)
        )

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
        return ConjugateGradientState(
            tree.axpy(a, state.d, state.x),
            tree.where(bad, state.r, r),
            tree.where(bad, state.d, d),
            jnp.where(bad, state.rz, rz),
            state.inverse,
            bad,
        )

    def label(self):
        if isinstance(self.preconditioner, Open):
            return self.card.name
        return f"{self.card.name}:{self.preconditioner.label()}"
