"""Gradient-regularised Newton with any Hessian approximation."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, count, matrix, part, real
from banach.core.method import Method
from banach.methods.smooth import _hessian_models as curvature
from banach.methods.smooth._hessian_models import Curvature
from banach.parts import newton
from banach.parts.trust_region import ratio


class GradientNormalizedNewtonState(eqx.Module):
    """Iterate, value, gradient, radius, the last solve's residual, and counts."""

    x: PyTree
    f: Float[Array, ""]
    g: Float[Array, " n"]
    gamma: Float[Array, ""]
    residual: Float[Array, ""]
    stuck: Bool[Array, ""]
    evaluations: Int[Array, ""]
    steps: Int[Array, ""]
    products: Int[Array, ""]
    factorisations: Int[Array, ""]


@method(
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="semenov2025gradient",
)
class GradientNormalizedNewton(Method):
    """Newton steps regularised by the gradient over an adaptive radius gamma.

    lam = ||g||_* / gamma,  x+ = x - (C + lam B)^-1 g
    taken if f(x) - f(x+) >= ||g+||_*^2 / (8 lam), then gamma doubles;
    otherwise gamma halves and the step is tried again

    `curvature` is C: Exact, GaussNewton, Given(fun), Zero or MatrixFree (see
    `_curvature`). `metric` is B (None: the identity); ||.||_* is dual to it.
    gamma estimates the largest radius on which C predicts the gradient to within
    ||g|| in relative terms, so that one scheme is as fast as each smoothness class
    allows. Where f(x) - f(x+) is only rounding, its value is taken from the two
    gradients. The value falls at every step, also for nonconvex f.

    Fails slowly, like the gradient method, where C knows nothing of the curvature;
    with an indefinite C it must regularise beyond the least eigenvalue.
    """

    curvature: Curvature = part(Curvature)
    gamma: Real = real(1.0)
    metric: Float[Array, "n n"] | None = matrix(None)
    max_tries: int = count(60, static=True)

    @classmethod
    def suggest(cls, problem, facts):
        offered = problem.oracles()
        if "residual" in offered:
            return cls(curvature.GaussNewton())
        if "hess" in offered and problem.size() <= 2000:
            return cls(curvature.Exact())
        return cls(curvature.MatrixFree() if "hvp" in offered else curvature.Zero())

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        g = tree.ravel(g)[0]
        gamma, zero = jnp.asarray(self.gamma, g.dtype), jnp.zeros((), jnp.int32)
        nil, no = jnp.zeros((), g.dtype), jnp.asarray(False)
        return GradientNormalizedNewtonState(
            start.x, f, g, gamma, nil, no, zero + 1, zero, zero, zero
        )

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        data = self.curvature.prepare(problem, state.x)
        lower = None if self.metric is None else newton.factor(self.metric)

        def dual(g):
            if lower is None:
                return tree.norm(g)
            return jnp.sqrt(newton.dual_square(lower, g))

        size = dual(state.g)

        def attempt(t):
            lam = size / t.gamma
            lam = jnp.where(lam > 0, lam, jnp.finfo(lam.dtype).tiny)
            out = self.curvature.solve(
                problem, state.x, data, lam, state.g, self.metric
            )
            trial = x + out.step
            f, g = problem.value_and_grad(back(trial))
            g = tree.ravel(g)[0]
            least = dual(g) ** 2 / (8 * lam)
            enough = ratio(state.f, f, state.g, g, out.step, least) >= 1
            # An exact zero of the gradient leaves nothing to ask for.
            enough = enough | (jnp.isfinite(f) & (least == 0) & (f <= state.f))
            accept = enough & out.ok & tree.all_finite(trial)
            return GradientNormalizedNewtonState(
                x=tree.where(accept, back(trial), state.x),
                f=jnp.where(accept, f, state.f),
                g=jnp.where(accept, g, state.g),
                gamma=jnp.where(accept, 2 * t.gamma, t.gamma / 2),
                residual=out.residual,
                stuck=~accept | newton.idle(x, trial, state.g, g),
                evaluations=t.evaluations + 1,
                steps=t.steps,
                products=t.products + out.products,
                factorisations=t.factorisations + out.factors,
            )

        def again(t):
            tries = t.evaluations - state.evaluations
            return t.stuck & (tries < self.max_tries)

        first = eqx.tree_at(
            lambda t: (t.stuck, t.steps), state, (jnp.asarray(True), state.steps + 1)
        )
        return jax.lax.while_loop(again, attempt, first)

    def calls(self, state):
        counts = {"value": state.evaluations, "grad": state.evaluations}
        name = self.curvature.oracle()
        if name is not None:
            counts[name] = state.steps
        if isinstance(self.curvature, curvature.MatrixFree):
            counts["hvp"] = state.products
        return counts
