"""Gradient descent with the step 1 / L, or with a line search where L is unknown."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import flag, real, upper
from banach.core.method import Method, Refusal
from banach.parts.line_search import approximate_wolfe


class GradientDescentState(eqx.Module):
    x: PyTree
    g: PyTree
    f: Float[Array, ""] | None
    step_size: Float[Array, ""]
    calls: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    name="gradient_descent",
    family="smooth",
    problem="Smooth",
    needs={"grad"},
    assumes={"smooth"},
    paper="cauchy1847methode",
    rate_of="f(x) - f*",
    rate=lambda c, t: c.L * c.radius**2 / (4 * t + 2),
)
class GradientDescent(Method):
    """Steps along the negative gradient.

    x+ = x - a grad f(x)

    With `search` false the step a is `step_size`; for a convex f and a = 1 / L the
    rate is exact (Drori and Teboulle 2014, theorem 2: some f attains it), and the
    distance to the solution shrinks by 1 - mu / L a step where f is strongly
    convex. With `search` true an approximate Wolfe search chooses a; its first
    trial is `step_size`, later ones a (g.g) / (g+.g+), which expects the same
    decrease again (Nocedal and Wright 2006, equation 3.60).

    Fails when `step_size` is above 2 / L and `search` is false: it may diverge.
    Needs about L / mu steps a digit, hopeless on ill-conditioned problems.
    """

    step_size: Any = real()
    search: bool = flag(static=True)

    @classmethod
    def suggest(cls, problem, facts, search=None):
        L = upper(facts, "L")
        if L is not None:
            return cls(step_size=1 / L, search=bool(search))
        if search is False or "value" not in problem.oracles():
            return Refusal(
                "L, or the oracle value",
                "gradient_descent takes 1 / L for its step: declare L on the problem, "
                "e.g. bn.Smooth(f, x0, L=...); a line search in its place (search=True)"
                " needs values",
            )
        return cls(step_size=1.0, search=True)

    def init(self, problem, start, key):
        x = start.x
        f, g = problem.value_and_grad(x) if self.search else (None, problem.grad(x))
        return GradientDescentState(
            x=x,
            g=g,
            f=f,
            step_size=jnp.asarray(self.step_size, tree.dtype(x)),
            calls=jnp.ones((), jnp.int32),
            stuck=jnp.asarray(False),
        )

    def step(self, problem, state, key):
        if self.search:
            return self._searched(problem, state)
        x = tree.axpy(-state.step_size, state.g, state.x)
        stuck = tree.max_abs(tree.sub(x, state.x)) == 0
        return GradientDescentState(
            x, problem.grad(x), None, state.step_size, state.calls + 1, stuck
        )

    def _searched(self, problem, state):
        out = approximate_wolfe(
            problem.value_and_grad,
            state.x,
            state.f,
            state.g,
            tree.neg(state.g),
            state.step_size,
        )
        before, after = tree.vdot(state.g, state.g), tree.vdot(out.g, out.g)
        trial = out.step * before / jnp.where(after > 0, after, 1)
        good = (trial > 0) & jnp.isfinite(trial)
        return GradientDescentState(
            out.x,
            out.g,
            out.f,
            jnp.where(good, trial, state.step_size),
            state.calls + out.grad_calls,
            ~out.success,
        )

    def calls(self, state):
        names = ("value", "grad") if self.search else ("grad",)
        return dict.fromkeys(names, state.calls)
