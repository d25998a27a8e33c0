"""Projected Newton: two metrics, one for the bounds that hold."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, real
from banach.core.method import Method
from banach.methods.composite import _boxes
from banach.parts import newton


class ProjectedNewtonState(eqx.Module):
    """Iterate with f and gradient, the sides, and what it cost."""

    x: PyTree
    f: Float[Array, ""]
    g: PyTree
    sides: tuple[Float[Array, " n"], Float[Array, " n"]]
    trials: Int[Array, ""]
    hessians: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"value", "grad", "hess", "project"},
    assumes={"smooth"},
    paper="bertsekas1982projected",
)
class ProjectedNewton(Method):
    """Newton's step on the coordinates off their bounds, the gradient's on the others.

    I = {i: x_i <= l_i + e, g_i > 0, or x_i >= u_i - e, g_i < 0}

    e = min(margin, ||x - P(x - g)||)

    p = D g,  D^-1 = H with 0 where a row or column of I leaves the diagonal,
    x(t) = P(x - t p)

    f(x) - f(x(t)) >= 1e-4 (t sum_{i not in I} g_i p_i + sum_{i in I} g_i (x_i -
    x_i(t))), t = 1, 1/2, 1/4, ...

    The bounds that hold at the answer are found after finitely many steps where f is
    strictly convex and no multiplier is 0; from there on the steps are Newton's, and
    quadratic. A matrix that is not positive definite is shifted (ours).

    Fails to be affordable for many unknowns: a step solves a dense system (lbfgsb).
    """

    margin: Real = real(0.01)

    @classmethod
    def suggest(cls, problem, facts, **given):
        """With a margin of 0.01; refused where the set is no box."""
        no = _boxes.refused(problem, "projected_newton")
        return super().suggest(problem, facts, **given) if no is None else no

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        f, zero = jnp.asarray(f, tree.dtype(start.x)), jnp.zeros((), jnp.int32)
        sides, no = _boxes.sides(problem, start.x), jnp.asarray(False)
        return ProjectedNewtonState(start.x, f, g, sides, zero + 1, zero, no)

    def step(self, problem, state, key):
        (x, back), g = tree.ravel(state.x), tree.ravel(state.g)[0]
        low, high = state.sides
        e = tree.norm(x - jnp.clip(x - g, low, high))
        e = jnp.minimum(jnp.asarray(self.margin, x.dtype), e)
        held = ((x <= low + e) & (g > 0)) | ((x >= high - e) & (g < 0))
        H = problem.hess(state.x)
        H = jnp.where((held[:, None] | held) & ~jnp.eye(x.size, dtype=bool), 0, H)
        p = newton.solve(newton.safe_factor(H)[0], g)

        def promise(t, new):
            moved = jnp.where(held, x - tree.ravel(new)[0], t * p)
            return jnp.vdot(g, moved, precision=tree.PRECISION)

        here = state.x, state.f, state.g
        (new, f, slope), ok, n = _boxes.backtrack(
            problem, here, lambda t: back(jnp.clip(x - t * p, low, high)), promise
        )
        stuck = ~ok | (tree.max_abs(tree.sub(new, state.x)) == 0)
        spent = state.trials + n, state.hessians + 1
        return ProjectedNewtonState(new, f, slope, state.sides, *spent, stuck)

    def calls(self, state):
        n = state.trials
        return {"value": n, "grad": n, "hess": state.hessians, "project": 2}
