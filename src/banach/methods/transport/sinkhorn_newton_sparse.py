"""Sinkhorn sweeps, then Newton steps with a sparsified Hessian."""

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.method import Method
from banach.core.point import Point
from banach.parts import scaling


class SinkhornNewtonSparseState(eqx.Module):
    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    eps: Float[Array, ""]
    age: Int[Array, ""]  # sweeps since eps changed or a search failed
    failed: Float[Array, ""]  # marginal error at the last failure
    evaluations: Int[Array, ""]
    transforms: Int[Array, ""]
    plans: Int[Array, ""]
    products: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    name="sinkhorn_newton_sparse",
    family="transport",
    problem="Transport",
    needs={"value", "grad", "transform", "plan"},
    assumes={"convex", "smooth"},
    paper="tang2024accelerating",
)
class SinkhornNewtonSparse(Method):
    """`sweeps` of Sinkhorn, then Newton steps d on the dual by conjugate gradients.

    [[diag P1, S], [S', diag P'1]] d = -eps grad F,  S: the `keep` largest of P

    The full diagonal stays. f is eliminated, which halves the iterations; they run
    on the complement of the null vector (1, -1), preconditioned by the diagonal, to
    the relative residual min(accuracy, marginal error), at most `inner_steps`. The
    step is halved until F falls. `decay` < 1 scales eps (not in the paper): from
    `first` times the average cost by `decay` whenever the marginal error, relative
    to the mass, is below `loose`; each eps begins with its sweeps, as does a failed
    search. With decay = 1 this is the paper's algorithm.

    Fails slowly where `keep` drops mass on which the plan's slow modes hang: the
    convergence is then linear, not quadratic.
    """

    sweeps: Int[Array, ""]
    keep: int = eqx.field(static=True)
    accuracy: Float[Array, ""] = 0.1
    inner_steps: Int[Array, ""] = 1000
    decay: Float[Array, ""] = 1.0
    first: Float[Array, ""] = 1.0
    loose: Float[Array, ""] = 0.01

    typical: ClassVar[Mapping[str, float]] = {"value": 2, "grad": 2, "plan": 2}

    @classmethod
    def suggest(cls, problem, facts):
        return cls(sweeps=2, keep=scaling.affordable(problem), decay=0.25)

    def init(self, problem, start, key):
        dtype = tree.dtype(start.x)
        eps = jnp.asarray(problem.eps, dtype)
        above = jnp.maximum(eps, self.first * problem.average_cost())
        eps = jnp.where(self.decay < 1, above, eps)
        x = scaling.centred(start.x)
        f, g = problem.with_eps(eps).value_and_grad(x)
        zero = jnp.zeros((), jnp.int32)
        return SinkhornNewtonSparseState(
            x=x,
            f=f,
            g=g,
            eps=eps,
            age=zero,
            failed=jnp.asarray(jnp.inf, dtype),
            evaluations=zero + 1,
            transforms=zero,
            plans=zero,
            products=zero,
            stuck=jnp.asarray(False),
        )

    def step(self, problem, state, key):
        here = problem.with_eps(state.eps)
        x, (a, b) = state.x, tree.cast((problem.a, problem.b), state.eps.dtype)
        mass, sweeping = jnp.sum(a), state.age < self.sweeps

        def sweep():
            f = here.transform(x[1], 0)
            return tree.sub((f, here.transform(f, 1)), x), jnp.int32(0)

        def newton():
            tol = jnp.minimum(self.accuracy, scaling.error(state.g) / mass)
            S = scaling.sparse(here, x, self.keep)
            return scaling.direction(
                S, state.g, (a, b), state.eps, tol, self.inner_steps
            )

        d, products = jax.lax.cond(sweeping, sweep, newton)
        out = scaling.backtrack(here, x, state.f, state.g, d, (a, b), sweeping)
        error = scaling.error(out.g) / mass
        last = jnp.asarray(problem.eps, state.eps.dtype)
        lower = (state.eps > last) & (error <= self.loose) & out.success
        eps = jnp.where(lower, jnp.maximum(last, state.eps * self.decay), state.eps)
        restart = lower | ~out.success
        hopeless = ~out.success & ~(error < 0.5 * state.failed)
        return SinkhornNewtonSparseState(
            x=out.x,
            f=out.f,
            g=out.g,
            eps=eps,
            age=jnp.where(restart, 0, state.age + sweeping),
            failed=jnp.where(lower, jnp.inf, jnp.where(restart, error, state.failed)),
            evaluations=state.evaluations + out.calls,
            transforms=state.transforms + 2 * sweeping,
            plans=state.plans + ~sweeping,
            products=state.products + products,
            stuck=hopeless & (state.eps <= last),
        )

    def point(self, state):
        return Point(state.x)

    def stuck(self, state):
        return state.stuck

    def calls(self, state):
        n = state.evaluations
        moves = {"transform": state.transforms, "plan": state.plans}
        return {"value": n, "grad": n} | moves
