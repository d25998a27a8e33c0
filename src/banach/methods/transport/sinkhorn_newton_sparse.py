"""Sinkhorn sweeps, then Newton steps with a sparsified Hessian."""

import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, Whole, count, real
from banach.core.method import Method
from banach.parts import transport_newton


class SinkhornNewtonSparseState(eqx.Module):
    """Potentials, eps, whether sweeps come next, what was spent."""

    x: PyTree
    eps: Float[Array, ""]
    fresh: Bool[Array, ""]
    transforms: Int[Array, ""]
    plans: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Transport",
    needs={"transform", "plan"},
    assumes={"convex", "smooth"},
    paper="tang2024accelerating",
)
class SinkhornNewtonSparse(Method):
    """`sweeps` of Sinkhorn, then Newton steps d on the dual by conjugate gradients.

    [[diag P 1, S], [S', diag P' 1]] d = -eps grad F,  S: the `keep` largest of P

    One step is a Newton step, preceded by the sweeps where these are due, at first and
    after a failed search. It is solved for to the relative residual min(accuracy,
    marginal error), in at most `inner_steps`, and halved until F falls.

    Not in the paper: `decay` < 1 scales eps, from `first` times the average cost, by
    `decay` whenever the marginal error, relative to the mass, is below `loose`; each
    eps begins with its sweeps. And up to `newton_steps` use one P, until the error is
    below `loose`, at the problem's eps below the root of the roundoff.

    Fails slowly where `keep` drops mass on which the plan's slow modes hang: the
    convergence is then linear, not quadratic.
    """

    sweeps: Whole = count(low=0)
    keep: int = count(static=True)
    accuracy: Real = real(0.1)
    inner_steps: Whole = count(1000)
    decay: Real = real(1.0, most=1)
    first: Real = real(1.0)
    loose: Real = real(0.1)
    newton_steps: Whole = count(1)

    # Products with the plan are as much work as several passes over the cost.
    typical: ClassVar = {"plan": 10}

    @classmethod
    def suggest(cls, problem, facts):
        keep = transport_newton.affordable(problem)
        return cls(sweeps=1, keep=keep, decay=0.25, newton_steps=8)

    def init(self, problem, start, key):
        eps = transport_newton.first_eps(problem, start.x, self.decay, self.first)
        x, zero = transport_newton.centred(start.x), jnp.zeros((), jnp.int32)
        return SinkhornNewtonSparseState(
            x, eps, jnp.asarray(True), zero, zero, jnp.asarray(False)
        )

    def step(self, problem, state, key):
        here, eps = problem.with_eps(state.eps), state.eps
        marginals = tree.cast((problem.a, problem.b), eps.dtype)
        last = jnp.asarray(problem.eps, eps.dtype)
        due = jnp.where(state.fresh, jnp.asarray(self.sweeps, jnp.int32), 0)
        x, S, transforms = transport_newton.swept(
            here, state.x, self.keep, marginals, due
        )
        enough = math.sqrt(float(jnp.finfo(eps.dtype).eps))
        out = transport_newton.newton(
            x, S, marginals,
            target=jnp.where(eps > last, self.loose, enough), first=eps <= last,
            most=self.newton_steps, accuracy=self.accuracy,
            inner_steps=self.inner_steps,
        )  # fmt: skip
        lower = (eps > last) & (out.error <= self.loose) & S.roomy()
        # A failed search is followed by sweeps before anything is given up.
        tried = out.success | state.fresh
        return SinkhornNewtonSparseState(
            out.x,
            jnp.where(lower, jnp.maximum(last, eps * self.decay), eps),
            lower | ~out.success,
            state.transforms + transforms,
            state.plans + S.passes(out.trials),
            transport_newton.still(out.x, state.x) & tried & (eps <= last),
        )

    def calls(self, state):
        return {"transform": state.transforms, "plan": state.plans}
