"""Damped Newton with near-optimal global rates: Root and Universal Newton."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import part
from banach.core.method import Method
from banach.methods.smooth import _damped_newton_steps as damping
from banach.parts import newton


class RootNewtonState(eqx.Module):
    """Iterate, value, gradient, the last length and damping, and counts."""

    x: PyTree
    f: Float[Array, ""]
    g: Float[Array, " n"]
    alpha: Float[Array, ""]
    theta: Float[Array, ""]
    stuck: Bool[Array, ""]
    evaluations: Int[Array, ""]
    steps: Int[Array, ""]


@method(
    problem="Smooth",
    needs={"value", "grad", "hess"},
    assumes={"convex", "smooth"},
    paper="hanzely2024damped",
)
class RootNewton(Method):
    """Newton steps of length alpha = 1 / (1 + theta), chosen in the local norm.

    n = H^-1 g,  G = sqrt(g.n),  x+ = x - alpha n

    `rule` decides: `damping.Explicit(M, q)` is Root Newton,
    theta = (9 M)^(1/(q-1)) G^((q-2)/(q-1)); `damping.Backtracking()` is Universal
    Newton, which needs no constant and is the default; `damping.Search()` is the
    gradient-regulated line search, and `damping.Search(regulated=False)` the exact
    one (greedy Newton). For convex f with a Hoelder Hessian or third derivative
    f - f* falls like k^-(q-1), up to k^-3. Nothing depends on coordinates.

    A step costs one Hessian, one factorisation and the rule's evaluations. A
    singular Hessian is shifted by the least multiple of I that factorises, which
    gives up the invariance there. Fails on nonconvex f, where the shifted
    Hessian is no local norm of f, and with Explicit and M too small.
    """

    rule: damping.Explicit | damping.Backtracking | damping.Search = part(
        damping.Explicit, damping.Backtracking, damping.Search
    )

    @classmethod
    def suggest(cls, problem, facts):
        return cls(damping.Backtracking())

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        g = tree.ravel(g)[0]
        nil, zero = jnp.zeros((), g.dtype), jnp.zeros((), jnp.int32)
        theta, no = self.rule.first(g.dtype), jnp.asarray(False)
        return RootNewtonState(start.x, f, g, nil, theta, no, zero + 1, zero)

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        lower, _ = newton.safe_factor(problem.hess(state.x))
        n = newton.solve(lower, state.g)
        square = jnp.maximum(jnp.vdot(state.g, n), 0)
        # The derivative of the root at zero would be infinite.
        decrement = jnp.sqrt(jnp.where(square > 0, square, 1))
        decrement = jnp.where(square > 0, decrement, 0)

        def at(alpha):
            f, g = problem.value_and_grad(back(x - alpha * n))
            return f, tree.ravel(g)[0]

        here = damping.Local(state.f, state.g, n, lower, decrement)
        out = self.rule(at, here, state.theta)
        trial = x - out.alpha * n
        take = out.success & tree.all_finite(trial)
        return RootNewtonState(
            x=tree.where(take, back(trial), state.x),
            f=jnp.where(take, out.f, state.f),
            g=jnp.where(take, out.g, state.g),
            alpha=out.alpha,
            theta=out.theta,
            stuck=~take | newton.idle(x, trial, state.g, out.g),
            evaluations=state.evaluations + out.calls,
            steps=state.steps + 1,
        )

    def calls(self, state):
        n = state.evaluations
        return {"value": n, "grad": n, "hess": state.steps}
