"""Preconditioned gradient descent whose step an energy adapts (AEPG)."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, part, real, upper
from banach.core.method import Method
from banach.parts import newton


class Constant(eqx.Module):
    """The metric <u, A u>, A symmetric positive definite; None: A = I."""

    A: Float[Array, "n n"] | None = None

    def solve(self, x, v):
        """A^-1 v."""
        return v if self.A is None else jnp.linalg.solve(self.A, v)


class Entropy(eqx.Module):
    """The Hessian of sum x log x, diag(1 / x), for x > 0; `simplex`: sum x is kept."""

    simplex: bool = eqx.field(default=False, static=True)

    def solve(self, x, v):
        """A^-1 v, or its projection: A^-1 - A^-1 1 (1' A^-1 1)^-1 1' A^-1."""
        mean = jnp.vdot(x, v) / jnp.sum(x) if self.simplex else 0
        return x * (v - mean)


class EnergyPreconditionedGdState(eqx.Module):
    """Iterate, energy r, eta, and c."""

    x: PyTree
    r: Float[Array, ""]
    eta: Float[Array, ""]
    c: Float[Array, ""]


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="liu2023adaptive",
    cost={"value": 1, "grad": 1},
    init_cost={"value": 1, "grad": 1},
)
class EnergyPreconditionedGd(Method):
    """Steps along A^-1 grad f that an energy r shortens; r falls for every eta.

    l = sqrt(f(x) + c),  v = grad f(x) / (2 l),  r_0 = l(x_0)

    r+ = r / (1 + 2 eta v.A^-1 v),  x+ = x - 2 eta r+ A^-1 v

    so that r+^2 = r^2 - (r+ - r)^2 - ||x+ - x||_A^2 / eta. The step is eta r+ / l in
    plain terms. `metric` gives A: constant, or the entropy's (a Hessian-Riemannian
    method). Linear under the inequality of Polyak and Lojasiewicz, for small eta.

    f + c has to be positive: where f < 0, c is raised to `c` - f (ours; the paper
    knows a bound of f). `eta=None` takes the eta whose first step lowers the linear
    model of f + c by a tenth (ours). Fails slowly where eta is far too large: r falls
    to almost 0, and x stops short of a stationary point. Entropy fails once an entry
    of x is negative.
    """

    eta: Real | None = real(optional=True)
    metric: Constant | Entropy = part(Constant, Entropy)
    c: Real = real()

    @classmethod
    def suggest(cls, problem, facts):
        L = upper(facts, "L")
        return cls(None if L is None else 1 / L, Constant(), 1.0)

    def init(self, problem, start, key):
        f, _, slope, c = self.way(problem, start.x, self.c)
        # The linear model falls by 4 eta v.A^-1 v (f + c).
        first = jnp.asarray(0.1, f.dtype) / (4 * newton.positive(slope))
        eta = first if self.eta is None else jnp.asarray(self.eta, f.dtype)
        return EnergyPreconditionedGdState(start.x, jnp.sqrt(f + c), eta, c)

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        _, way, slope, c = self.way(problem, state.x, state.c)
        eta = state.eta
        r = state.r / (1 + 2 * eta * slope)
        return EnergyPreconditionedGdState(back(x - 2 * eta * r * way), r, eta, c)

    def way(self, problem, x, c):
        """f, A^-1 v, v.A^-1 v and c at x."""
        f, g = problem.value_and_grad(x)
        c = jnp.maximum(jnp.asarray(c, f.dtype), self.c - f)
        v = tree.ravel(g)[0] / (2 * jnp.sqrt(f + c))
        way = self.metric.solve(tree.ravel(x)[0], v)
        return f, way, jnp.vdot(v, way), c
