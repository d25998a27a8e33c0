"""Inexact Newton steps on the KKT system by randomised iterative sketching."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Whole, count, part, real
from banach.core.method import Method, Refusal
from banach.core.point import Point
from banach.methods.constrained._merit import Merit, Weights, convexified, descent
from banach.methods.constrained._sketch import Sketch
from banach.parts import multiplier_estimates

Scalar = Float[Array, ""]


class AdasketchNewtonState(eqx.Module):
    x: PyTree
    dual: Float[Array, " m"]
    at: PyTree
    weights: Weights
    first: Scalar
    alpha: Scalar
    failures: Int[Array, ""]
    evaluations: Int[Array, ""]
    steps: Int[Array, ""]
    sweeps: Int[Array, ""]


@method(
    problem="Constrained",
    needs={"value", "grad", "hess", "constraints", "jacobian"},
    assumes={"smooth"},
    paper="hong2023constrained",
    random=True,
    cost=None,
)
class AdasketchNewton(Method):
    """Newton's method for grad L = 0, c = 0, its system solved only as far as needed.

    K z = -r,  K = [[B, J'], [J, 0]],  r = (grad_x L, c),  z = (dx, dlam)
    inner: z <- z - K S (S'K K S)^+ S'(K z + r) until ||K z + r|| <= theta delta ||r||
    merit: M = L + mu/2 ||c||^2 + nu/2 ||grad_x L||^2

    z is taken if <grad M, z> <= -nu/2 ||r||^2; otherwise mu grows by rho^2, nu shrinks
    by rho, delta by rho^4, and the inner iteration goes on. Then Armijo's rule on M
    from the unit step, halving. B is the Hessian H of L, H + (`convexity` + ||H||) I
    where H is not positive definite on the null space of J. With
    theta = min(1, ||r|| / ||r_0||)^sharpen convergence is linear with ratio about delta
    for sharpen 0, superlinear above. `sketch` has blocks of 1 in the paper.

    Reconstructed from the abstract and the authors' published code. Their accuracy
    constants are left out: they scale delta, which adapts until the descent test holds.
    Where the fall of M is below its rounding, the step is judged by ||r||.

    Fails where J loses rank (K is then singular), slowly where K is ill-conditioned:
    small blocks lose time in proportion to the square of its condition number.
    """

    # The projections of a step weigh as much as several Hessians.
    typical: ClassVar = {"value": 1, "grad": 1, "jacobian": 1, "hess": 8}

    sketch: Sketch = part(Sketch)
    delta: Scalar = real(0.1)
    sharpen: Scalar = real(0.0, low="nonnegative")
    mu: Scalar = real(1.0)
    nu: Scalar = real(0.1)
    rho: Scalar = real(1.5)
    beta: Scalar = real(0.1, below=1)
    convexity: Scalar = real(0.1, low="nonnegative")
    max_sweeps: Whole = count(2000)
    max_tries: int = count(40, static=True)

    @classmethod
    def suggest(cls, problem, facts):
        if problem.inequalities() or problem.bounded():
            return Refusal(
                "equations only",
                "adasketch_newton knows no inequalities and bounds: use scipy:SLSQP or "
                "scipy:trust-constr, or state those active at the solution as eq",
            )
        d = problem.size() + problem.rows()
        return cls(Sketch("gaussian", max(1, 3 * d // 4)))

    def init(self, problem, start, key):
        at = problem.evaluate(start.x)
        lam, dtype, none = start.dual, at.g.dtype, jnp.zeros((), jnp.int32)
        if lam is None or jnp.shape(lam) != at.c.shape:
            lam = multiplier_estimates.fitted(at.g, at.J, 0 * at.c, jnp.ones_like(at.g))
        lam = jnp.asarray(lam, dtype)
        weights = (jnp.asarray(v, dtype) for v in (self.mu, self.nu, self.delta))
        first = tree.norm(Merit(at, lam).r)
        return AdasketchNewtonState(
            start.x, lam, at, Weights(*weights), first, jnp.ones_like(first),
            none, none + 1, none, none,
        )  # fmt: skip

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        here = Merit(state.at, state.dual)
        H = problem.lagrangian_hess(state.x, state.dual)
        B = convexified(H, state.at.J, self.convexity)
        share = tree.norm(here.r) / jnp.where(state.first > 0, state.first, 1)
        theta = jnp.where(self.sharpen > 0, jnp.minimum(1, share) ** self.sharpen, 1)
        way = descent(
            here, H, B, self.sketch, state.weights, theta, self.rho, key,
            self.max_sweeps, self.max_tries,
        )  # fmt: skip
        dx, dual = way.z[: x.size], way.z[x.size :]

        def search(s):
            alpha, tried, _, _ = s
            at = problem.evaluate(back(x + alpha * dx))
            there = Merit(at, state.dual + alpha * dual)
            enough = here.falls(there, way.weights, alpha * self.beta, way.slope)
            return alpha / 2, tried + 1, at, enough & (way.slope < 0)

        begin = (jnp.ones_like(share), 0, state.at, jnp.asarray(False))
        halved, tried, at, accept = jax.lax.while_loop(
            lambda s: ~s[-1] & (s[1] < self.max_tries), search, begin
        )
        alpha = jnp.where(accept, 2 * halved, 0)
        return AdasketchNewtonState(
            back(jnp.where(accept, x + alpha * dx, x)),
            jnp.where(accept, state.dual + alpha * dual, state.dual),
            tree.where(accept, at, state.at), way.weights, state.first, alpha,
            jnp.where(accept, 0, state.failures + 1), state.evaluations + tried,
            state.steps + 1, state.sweeps + way.sweeps,
        )  # fmt: skip

    def point(self, state):
        return Point(state.x, state.dual)

    def stuck(self, state):
        # A failed step is tried again, with other random numbers.
        return state.failures >= 3

    def calls(self, state):
        names = ("value", "grad", "constraints", "jacobian")
        return {"hess": state.steps, **dict.fromkeys(names, state.evaluations)}
