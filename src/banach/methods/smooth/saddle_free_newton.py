"""Newton's method with |H| in place of H, which leaves saddle points."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import Real, real
from banach.core.method import Method
from banach.methods.smooth._second_order import NewtonState
from banach.parts import newton
from banach.parts.trust_region import ratio, spectrum

NOISE = 1e3  # roundings by which two values of f may differ and mean nothing


class SaddleFreeNewtonState(NewtonState):
    """`known` is what lifts the grid; the values that its search asked for."""

    values: Int[Array, ""]


@method(
    problem="Smooth",
    needs={"value", "grad", "hess"},
    assumes={"smooth"},
    paper="dauphin2014identifying",
)
class SaddleFreeNewton(Method):
    """Newton steps that turn round along directions of negative curvature.

    x+ = x - (|H| + lam I)^-1 g,  |H| = V diag |l| V',  H = V diag(l) V'

    which minimises the linear model where the quadratic one changes it little. With
    `damping` lam given every finite step is taken. `damping=None` tries lam = 10^0 ..
    10^-6 times the largest |l| at every step (the paper too picks from a set; ours is
    relative, so that the units of f do not matter) and takes the least lam whose f is
    the lowest to rounding. A step along which f does not fall (in its rounding: by the
    slopes at both ends) is refused: the grid is lifted tenfold, and comes down by as
    much after a success (ours).

    The exact form, n^3 a step; the paper's Krylov form for large n is left out. At a
    saddle itself, where g = 0, it stands still; trust_region_newton does not.
    """

    damping: Real | None = real(low="nonnegative", optional=True)

    @classmethod
    def suggest(cls, problem, facts):
        return cls(damping=None)

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        g, zero = tree.ravel(g)[0], jnp.zeros((), jnp.int32)
        lift = jnp.ones((), g.dtype)
        return SaddleFreeNewtonState(
            start.x, f, g, lift, zero + 1, zero, jnp.asarray(False), zero
        )

    def step(self, problem, state, key):
        (x, back), g = tree.ravel(state.x), state.g
        H = spectrum(problem.hess(state.x))
        size = jnp.abs(H.values)
        if self.damping is None:
            top = newton.positive(jnp.max(size)) * state.known
            lam = top * 10.0 ** -jnp.arange(7, dtype=g.dtype)
        else:
            lam = jnp.asarray(self.damping, g.dtype)[None]
        slopes = jnp.matmul(H.vectors.T, g, precision=tree.PRECISION)
        moves = slopes[:, None] / newton.positive(size[:, None] + lam)
        trials = x - jnp.matmul(H.vectors, moves, precision=tree.PRECISION).T
        chosen, seen = 0, 0
        if self.damping is None:
            f = jax.lax.map(lambda y: problem.value(back(y)), trials)
            f = jnp.where(jnp.isnan(f), jnp.inf, f)
            least = jnp.min(f)
            near = f <= least + NOISE * jnp.finfo(f.dtype).eps * jnp.abs(least)
            chosen, seen = 6 - jnp.argmax(near[::-1]), 7
        trial = trials[chosen]
        f, after = problem.value_and_grad(back(trial))
        after = tree.ravel(after)[0]
        accept = jnp.isfinite(f) & tree.all_finite((trial, after))
        lift = state.known
        stuck = newton.idle(x, trial, g, after)
        if self.damping is None:
            step = trial - x
            half = -jnp.vdot(g, step) / 2  # what the model with |H| promises, lam aside
            accept = ratio(state.f, f, g, after, step, half, noise=NOISE) > 0
            lift = jnp.where(accept, jnp.maximum(lift / 10, 1), 10 * lift)
        else:
            stuck = stuck | ~accept
        return SaddleFreeNewtonState(
            x=tree.where(accept, back(trial), state.x),
            f=jnp.where(accept, f, state.f),
            g=jnp.where(accept, after, g),
            known=lift,
            evaluations=state.evaluations + 1,
            seconds=state.seconds + 1,
            stuck=stuck,
            values=state.values + seen,
        )

    def calls(self, state):
        n = state.evaluations
        return {"value": n + state.values, "grad": n, "hess": state.seconds}
