"""Damped Newton with near-optimal global rates: Root and Universal Newton."""

import jax.numpy as jnp

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import part
from banach.methods.smooth import _damped_newton_steps as damping
from banach.methods.smooth._second_order import NewtonMethod, NewtonState
from banach.parts import newton


@method(
    problem="Smooth",
    needs={"value", "grad", "hess"},
    assumes={"convex", "smooth"},
    paper="hanzely2024damped",
)
class RootNewton(NewtonMethod):
    """Newton steps of length alpha = 1 / (1 + theta), chosen in the local norm.

    n = H^-1 g,  G = sqrt(g.n),  x+ = x - alpha n

    `rule` decides: Explicit(M, q) is Root Newton, theta = (9 M)^(1/(q-1))
    G^((q-2)/(q-1)); Backtracking() is Universal Newton, which needs no constant;
    Search() searches, with regulated=False exactly (greedy Newton). For convex f with a
    Hoelder Hessian or third derivative f - f* falls like k^-(q-1), up to k^-3. Nothing
    depends on coordinates, but where a singular Hessian is shifted to factorise.

    Fails on nonconvex f, whose shifted Hessian is no norm, and where M is too small.
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
        theta, zero = self.rule.first(g.dtype), jnp.zeros((), jnp.int32)
        return NewtonState(start.x, f, g, theta, zero + 1, zero, jnp.asarray(False))

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
        out = self.rule(at, here, state.known)
        trial = x - out.alpha * n
        take = out.success & tree.all_finite(trial)
        new, old = (back(trial), out.f, out.g), (state.x, state.f, state.g)
        kept = tree.where(take, new, old)
        stuck = ~take | newton.idle(x, trial, state.g, out.g)
        spent = state.evaluations + out.calls, state.seconds + 1
        return NewtonState(*kept, out.theta, *spent, stuck)
