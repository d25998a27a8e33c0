"""Newton's method with lazily refreshed Hessians."""

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import compat, tree
from banach.core.card import method
from banach.core.hyperparameters import Real, Whole, count, part, real
from banach.core.method import Method
from banach.parts import newton


class LazyNewtonState(eqx.Module):
    """Iterate, value, gradient, what the model keeps, M, and counts."""

    x: PyTree
    f: Float[Array, ""]
    g: Float[Array, " n"]
    curvature: PyTree
    M: Float[Array, ""]
    age: Int[Array, ""]  # steps taken with the present Hessian
    refresh: Bool[Array, ""]
    stuck: Bool[Array, ""]
    evaluations: Int[Array, ""]
    hessians: Int[Array, ""]
    factorisations: Int[Array, ""]


@method(
    problem="Smooth",
    needs={"value", "grad", "hess"},
    assumes={"smooth"},
    paper="doikov2023lazy",
)
class LazyNewton(Method):
    """Regularised Newton steps that keep one Hessian for up to `period` steps.

    With H the Hessian at the last refresh and g always fresh:

    cubic:      h = argmin g.h + h.Hh / 2 + (M / 6) ||h||^3
    quadratic:  h = -(H + sqrt(M ||g||) I)^-1 g        (convex f)

    secant:     h = -B g, B = (H + sqrt(M ||g||) I)^-1 corrected by BFGS   (convex f)

    `M` given is the paper's constant (6 m L and 3 m L for a period m and an
    L-Lipschitz Hessian): every finite step is taken. `M=None` starts without
    regularisation and adapts: a step is taken when it achieves a tenth of the
    decrease that its model promised; M falls where three quarters were achieved
    and rises after a failure. Then the Hessian is also renewed before its time
    once a step leaves more than `contraction` of the gradient (infinity: never,
    as in the paper). Near the solution decreases are read from gradients.

    cubic factorises once per Hessian (eigenvectors), quadratic once per step
    (Cholesky, less than a tenth of that), secant once per Hessian or failure. The
    secant model is not in the paper. Fails when M is given too small: nothing
    forces descent then. Quadratic and secant cannot leave a saddle.
    """

    model: newton.Cubic | newton.Quadratic | newton.Secant = part(
        newton.Cubic, newton.Quadratic, newton.Secant
    )
    period: Whole = count()
    contraction: Real = real(0.7, infinite=True)
    M: Real | None = real(None, low="nonnegative", optional=True)

    @property
    def typical(self) -> Mapping[str, float]:  # type: ignore[override]
        """Of a quadratic model that is renewed at every step a Hessian; else fewer."""
        every = isinstance(self.model, newton.Quadratic) and not compat.is_tracer(
            self.period
        )
        hess = 1 if every and int(self.period) == 1 else 0.1
        return {"value": 1, "grad": 1, "hess": hess}

    @classmethod
    def suggest(cls, problem, facts):
        model = newton.Secant() if facts.has("convex") else newton.Cubic()
        return cls(model, period=max(1, problem.size()))

    def in_lanes(self):
        """Renewed at every step: some lane of many would want its Hessian anyway."""
        if not isinstance(self.model, newton.Secant):
            return self
        return LazyNewton(newton.Quadratic(), 1, self.contraction, self.M)

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        g = tree.ravel(g)[0]
        M = jnp.asarray(0 if self.M is None else self.M, g.dtype)
        blank, yes, zero = (
            self.model.blank(g),
            jnp.asarray(True),
            jnp.zeros((), jnp.int32),
        )
        return LazyNewtonState(
            start.x, f, g, blank, M, zero, yes, ~yes, zero + 1, zero, zero
        )

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        model = self.model
        curvature = jax.lax.cond(
            state.refresh,
            lambda: model.refresh(problem.hess(state.x)),
            lambda: state.curvature,
        )
        curvature, out = model.propose(curvature, state.g, state.M, state.refresh)
        trial = x + out.step
        f, g = problem.value_and_grad(back(trial))
        g = tree.ravel(g)[0]
        # A pair whose step is near the resolution of x teaches rounding errors.
        near = tree.norm(out.step) <= 1e3 * jnp.finfo(x.dtype).eps * tree.norm(x)
        pair = jnp.where(near, 0, out.step)
        age = jnp.where(state.refresh, 0, state.age)
        accept = jnp.isfinite(f) & tree.all_finite((trial, g))
        M, poor = state.M, jnp.asarray(False)
        if self.M is None:
            rho = newton.agreement(state.f, f, state.g, g, out.step, out.predicted)
            accept = accept & (rho >= 0.1)
            size = newton.positive(tree.norm(state.g))
            poor = tree.norm(g) > self.contraction * size
            # A first failure without regularisation starts it at this scale.
            first = (1e-3 * model.scale(curvature)) ** 2 / size
            M = jnp.where(accept & (rho >= 0.75), M / 16, M)
            M = jnp.where(accept, M, jnp.maximum(16 * M, first))
        return LazyNewtonState(
            x=tree.where(accept, back(trial), state.x),
            f=jnp.where(accept, f, state.f),
            g=jnp.where(accept, g, state.g),
            curvature=model.learn(curvature, pair, g - state.g, accept),
            M=M,
            age=age + accept,
            refresh=accept & ((age + 1 >= self.period) | poor),
            stuck=newton.idle(x, trial, state.g, g) | (~accept & (self.M is not None)),
            evaluations=state.evaluations + 1,
            hessians=state.hessians + state.refresh,
            factorisations=state.factorisations + out.factorisations,
        )

    def calls(self, state):
        n = state.evaluations
        return {"value": n, "grad": n, "hess": state.hessians}
