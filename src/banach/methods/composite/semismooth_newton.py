"""Semismooth Newton on x = prox(x - t grad f(x), t), held by the envelope."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import fact, real
from banach.core.method import Method
from banach.parts import newton


class SemismoothNewtonState(eqx.Module):
    """T(z), the point; z with grad f and phi - h(T(z)); ||r_0||; costs."""

    x: PyTree
    z: PyTree
    g: PyTree
    level: Float[Array, ""]
    first: Float[Array, ""]
    spent: Int[Array, " 2"]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"value", "grad", "hess", "prox"},
    assumes={"convex", "smooth"},
    paper="themelis2019acceleration",
)
class SemismoothNewton(Method):
    """Newton's step for r(z) = 0, searched for on the forward-backward envelope.

    r(z) = z - T(z),  T(z) = prox(z - gamma grad f(z), gamma),  gamma = ratio / L

    phi(z) = f(z) - <grad f(z), r> + h(T(z)) + ||r||^2 / (2 gamma)

    (Q - Q P Q + delta) d = -Q r,  Q = I - gamma H,  P the Jacobian of the prox

    z+ = (1 - tau) T(z) + tau (z + d),  tau = 1, 1/2, 1/4, ...

    phi(z+) <= phi(z) - decrease (1 - ratio) ||r||^2 / (2 gamma)

    delta = damping ||r|| / ||r_0||

    and T(z) is the answer. P is 0 where a soft threshold or a bound holds: the
    equations are Newton's on what moves. The matrix is symmetric and positive
    definite, and tau = 0, a proximal step, always falls enough: convergence is
    global, and quadratic towards an answer where I - P Q is regular (for a Lasso, one
    step from the right set, but for delta).

    Reconstructed: h(T(z+)) - h(T(z)) is replaced by its bound <v, T(z+) - T(z)>, v
    the subgradient that the prox shows at T(z+), so that no value of h is asked for:
    what passes, passes the rule, and so does an exact solution. The equations are
    factorised, where the authors stop conjugate gradients early; delta is without
    units (theirs zeta ||grad phi||^nu).

    Fails where `lipschitz` is below the true constant, and in cost where unknowns
    are many.
    """

    lipschitz: Any = fact("L", instead="proximal_newton, which needs no L")
    ratio: Any = real(0.95, below=1)
    decrease: Any = real(0.5, below=1)
    damping: Any = real(0.1)

    def init(self, problem, start, key):
        x, g, _, level = self._forward(problem, start.x)
        first = tree.norm(tree.sub(start.x, x))
        none = jnp.zeros(2, jnp.int32)
        return SemismoothNewtonState(x, start.x, g, level, first, none, first == 0)

    def step(self, problem, state, key):
        z, back = tree.ravel(state.z)
        x, g = (tree.ravel(v)[0] for v in (state.x, state.g))
        r, gamma = z - x, self._gamma(z.dtype)
        eye = jnp.eye(z.size, dtype=z.dtype)
        Q = eye - gamma * problem.hess(state.z)
        P = jax.jacfwd(lambda v: tree.ravel(problem.prox(back(v), gamma))[0])(
            z - gamma * g
        )
        size = tree.norm(r)
        delta = self.damping * size / jnp.where(state.first > 0, state.first, 1)
        QPQ = jnp.matmul(
            Q, jnp.matmul(P, Q, precision=tree.PRECISION), precision=tree.PRECISION
        )
        matrix = Q - (QPQ + QPQ.T) / 2 + delta * eye
        right = -jnp.matmul(Q, r, precision=tree.PRECISION)
        d = newton.solve(newton.safe_factor(matrix)[0], right)
        d = jnp.where(jnp.all(jnp.isfinite(d)), d, -r)
        slack = 32 * jnp.finfo(z.dtype).eps * abs(state.level)
        enough = self.decrease * (1 - self.ratio) * size**2 / (2 * gamma) - slack

        def trial(carry):
            n = carry[-1]
            tau = jnp.where(n < 20, jnp.exp2(-n.astype(z.dtype)), 0)
            at = back(x + tau * (r + d))
            new, slope, v, level = self._forward(problem, at)
            rise = level - state.level + tree.vdot(v, tree.sub(new, state.x))
            return new, at, slope, level, (rise <= -enough) | (n == 20), n + 1

        zero = jnp.zeros((), jnp.int32)
        begun = (state.x, state.z, state.g, state.level, zero > 0, zero)
        new, at, slope, level, _, n = jax.lax.while_loop(
            lambda carry: ~carry[-2], trial, begun
        )
        stuck = tree.max_abs(tree.sub(at, state.z)) == 0
        spent = state.spent + jnp.stack([n, jnp.ones_like(n)])
        return SemismoothNewtonState(new, at, slope, level, state.first, spent, stuck)

    def calls(self, state):
        n, steps = state.spent
        return {"value": n + 1, "grad": n + 1, "hess": steps, "prox": n + steps + 1}

    def _gamma(self, dtype):
        return jnp.asarray(self.ratio / self.lipschitz, dtype)

    def _forward(self, problem, z):
        """T(z), grad f(z), a subgradient of h at T(z), phi(z) - h(T(z))."""
        gamma = self._gamma(tree.dtype(z))
        f, g = problem.value_and_grad(z)
        x = problem.prox(tree.axpy(-gamma, g, z), gamma)
        r = tree.sub(z, x)
        v = tree.axpy(1 / gamma, r, tree.neg(g))
        level = f - tree.vdot(g, r) + tree.vdot(r, r) / (2 * gamma)
        return x, g, v, jnp.asarray(level, gamma.dtype)
