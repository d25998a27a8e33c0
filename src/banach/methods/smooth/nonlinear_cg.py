"""Nonlinear conjugate gradients with guaranteed descent (CG_DESCENT)."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.core.point import Point
from banach.parts.line_search import approximate_wolfe


class NonlinearCgState(eqx.Module):
    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    d: PyTree
    trial: Float[Array, ""]
    steepest: Bool[Array, ""]
    calls: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    name="nonlinear_cg",
    family="smooth",
    problem="Smooth",
    needs={"value", "grad"},
    assumes={"smooth"},
    paper="hager2005cgdescent",
)
class NonlinearCg(Method):
    """Conjugate directions that descend whatever the line search did.

    x+ = x + a d,  d+ = -g+ + max(beta, floor) d,  y = g+ - g,
    beta = (y - 2 d (y.y) / (d.y)).g+ / d.y
    floor = -1 / (||d|| min(eta, ||g||)),  eta = 0.01

    so that g.d <= -7/8 ||g||^2 in exact arithmetic. The step a satisfies the
    approximate Wolfe conditions; its first trial expects the decrease of the step
    before, a (g.d) / (g+.d+), which takes no evaluation, unlike the paper's
    interpolation. A failed search restarts from -g once before the method is stuck.

    Fails slowly on ill-conditioned problems, where lbfgs needs fewer evaluations.
    """

    curvature: Float[Array, ""] = real(below=1)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(curvature=0.1)

    def init(self, problem, start, key):
        x = start.x
        f, g = problem.value_and_grad(x)
        f = jnp.asarray(f, tree.dtype(x))
        # Step I0 of the paper's section 5, with psi_0 = 0.01.
        slope, size = tree.vdot(g, g), tree.max_abs(g)
        trial = jnp.where(
            tree.max_abs(x) > 0,
            tree.max_abs(x) / jnp.where(size > 0, size, 1),
            jnp.abs(f) / jnp.where(slope > 0, slope, 1),
        )
        trial = jnp.where((trial > 0) & jnp.isfinite(trial), 0.01 * trial, 1)
        no = jnp.asarray(False)
        one = jnp.ones((), jnp.int32)
        return NonlinearCgState(x, f, g, tree.neg(g), trial, ~no, one, no)

    def step(self, problem, state, key):
        g, d = state.g, state.d
        out = approximate_wolfe(
            problem.value_and_grad,
            state.x,
            state.f,
            g,
            d,
            state.trial,
            curvature=self.curvature,
        )
        y = tree.sub(out.g, g)
        dy = tree.vdot(d, y)
        good = out.success & (dy > 0)
        dy = jnp.where(good, dy, 1)
        beta = (
            tree.vdot(y, out.g) - 2 * tree.vdot(y, y) * tree.vdot(d, out.g) / dy
        ) / dy
        floor = -1 / (tree.norm(d) * jnp.minimum(0.01, tree.norm(g)))
        beta = jnp.where(good, jnp.maximum(beta, floor), 0)
        after = tree.axpy(beta, d, tree.neg(out.g))
        trial = out.step * tree.vdot(g, d) / tree.vdot(out.g, after)
        usable = (trial > 0) & jnp.isfinite(trial)
        return NonlinearCgState(
            x=out.x,
            f=out.f,
            g=out.g,
            d=after,
            trial=jnp.where(usable, trial, state.trial),
            steepest=~good,
            calls=state.calls + out.grad_calls,
            stuck=~out.success & state.steepest,
        )

    def point(self, state):
        return Point(state.x)

    def calls(self, state):
        return {"value": state.calls, "grad": state.calls}
