"""Sinkhorn sweeps, then Newton steps with a sparsified Hessian."""

import math
from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count, real
from banach.core.method import Method
from banach.parts import transport_newton


class SinkhornNewtonSparseState(eqx.Module):
    x: PyTree
    eps: Float[Array, ""]
    fresh: Bool[Array, ""]  # sweeps come first: eps changed, or a search failed
    transforms: Int[Array, ""]
    plans: Int[Array, ""]
    iterations: Int[Array, ""]  # sweeps and Newton steps
    stuck: Bool[Array, ""]


@method(
    problem="Transport",
    needs={"transform", "plan"},
    assumes={"convex", "smooth"},
    paper="tang2024accelerating",
)
class SinkhornNewtonSparse(Method):
    """`sweeps` of Sinkhorn, then Newton steps d on the dual by conjugate gradients.

    [[diag P1, S], [S', diag P'1]] d = -eps grad F,  S: the `keep` largest of P

    The full diagonal stays. f is eliminated, which halves the iterations; they run
    on the complement of the null vector (1, -1), preconditioned by the diagonal, to
    the relative residual min(accuracy, marginal error), at most `inner_steps`. The
    step is halved until F falls. Where all of P is kept, sweeps and trials scale it;
    a sweep that would leave the range of the numbers is made of transforms.

    `decay` < 1 scales eps (not in the paper): from `first` times the average cost
    by `decay` whenever the marginal error, relative to the mass, is below `loose`;
    each eps begins with its sweeps, as does the step after a failed search. Up to
    `newton_steps` use one P (nor is this): as many as the error needs to fall below
    `loose`, at the problem's eps below the root of the roundoff. With decay = 1 and
    newton_steps = 1 this is the paper's algorithm; one step is one of its Newton
    steps, the sweeps that precede it included.

    Fails slowly where `keep` drops mass on which the plan's slow modes hang: the
    convergence is then linear, not quadratic.
    """

    sweeps: Int[Array, ""] = count(low=0)
    keep: int = count(static=True)
    accuracy: Float[Array, ""] = real(0.1)
    inner_steps: Int[Array, ""] = count(1000)
    decay: Float[Array, ""] = real(1.0, most=1)
    first: Float[Array, ""] = real(1.0)
    loose: Float[Array, ""] = real(0.1)
    newton_steps: Int[Array, ""] = count(1)

    # Products with the plan are as much work as several passes over the cost.
    typical: ClassVar[Mapping[str, float]] = {"plan": 10}

    @classmethod
    def suggest(cls, problem, facts):
        keep = transport_newton.affordable(problem)
        return cls(sweeps=1, keep=keep, decay=0.25, newton_steps=8)

    def init(self, problem, start, key):
        dtype = tree.dtype(start.x)
        eps = jnp.asarray(problem.eps, dtype)
        above = jnp.maximum(eps, self.first * problem.average_cost())
        zero = jnp.zeros((), jnp.int32)
        return SinkhornNewtonSparseState(
            x=transport_newton.centred(start.x),
            eps=jnp.where(self.decay < 1, above, eps),
            fresh=jnp.asarray(True),
            transforms=zero,
            plans=zero,
            iterations=zero,
            stuck=jnp.asarray(False),
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
            x,
            S,
            marginals,
            target=jnp.where(eps > last, self.loose, enough),
            first=eps <= last,
            most=self.newton_steps,
            accuracy=self.accuracy,
            inner_steps=self.inner_steps,
        )
        lower = (eps > last) & (out.error <= self.loose) & S.roomy()
        # A failed search is followed by sweeps before anything is given up.
        tried = out.success | state.fresh
        return SinkhornNewtonSparseState(
            x=out.x,
            eps=jnp.where(lower, jnp.maximum(last, eps * self.decay), eps),
            fresh=lower | ~out.success,
            transforms=state.transforms + transforms,
            plans=state.plans + S.passes(out.trials),
            iterations=state.iterations + due + out.steps,
            stuck=transport_newton.still(out.x, state.x) & tried & (eps <= last),
        )

    def calls(self, state):
        return {"transform": state.transforms, "plan": state.plans}
