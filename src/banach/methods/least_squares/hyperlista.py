"""HyperLISTA: sparse recovery by unrolled thresholding with three hyperparameters."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from banach.core import compat, tree
from banach.core.card import method
from banach.core.hyperparameters import Real, real
from banach.core.method import Method, Refusal


class HyperlistaState(eqx.Module):
    """Iterate, the one before, pinv(A), 1 / diag(pinv(A) A), ||pinv(A) b||_1."""

    x: PyTree
    old: Float[Array, " n"]
    P: Float[Array, "n m"]
    d: Float[Array, " n"]
    first: Float[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="NonlinearLeastSquares",
    needs={"residual", "jacobian"},
    assumes={"smooth"},
    paper="chen2021hyperparameter",
    cost={"residual": 1},
    init_cost={"residual": 1, "jacobian": 1},
)
class Hyperlista(Method):
    """Thresholds, momentum and support of every layer from the residual A x - b.

    x+ = S(x - W'(A x - b) + beta (x - x-), theta, p)

    theta = c1 ||A^+ (A x - b)||_1,  beta = c2 ||x||_0

    p = n min(c3 log(||A^+ b||_1 / ||A^+ (A x - b)||_1), 1)

    S sets entries up to theta to 0, keeps of the others those among the p largest, and
    moves the rest by theta towards 0. W is ALISTA's: of least ||W'A||_F with w_i'a_i =
    1, so that W' = D A^+, D = 1 / diag(A^+ A). Thresholds end with the residual, and a
    recovery is exact; with parameters of the instance the decay is proved superlinear.
    The defaults are near those that `_hyperlista_tuning.tuned` finds for Gaussian A of
    125 x 250 and a tenth of entries; it finds others from samples. The step of the
    paper is 1 here (the authors' code has one to be tuned).

    Stated for r(x) = A x - b, with many x where A is wide: what is certified of the
    answer is that it solves A x = b (or its normal equations), not that no other x is
    sparser; nothing that is known to a check says that.

    Fails where columns of A are alike or x is denser than what was tuned on: thresholds
    and residual then stay, beta makes it diverge, or, with too large a c3, all entries
    are kept before they are right, and it ends at another solution. Needs a dense A,
    and its pseudo-inverse once.
    """

    c1: Real = real(0.03)
    c2: Real = real(0.008, low="nonnegative")
    c3: Real = real(0.25, low="nonnegative")

    @classmethod
    def suggest(cls, problem, facts, **given):
        if linear(problem):
            return cls(**given)
        return Refusal(
            "a linear residual",
            "hyperlista recovers x from A x = b: state r as A @ x - b, or use "
            "levenberg_marquardt",
        )

    def init(self, problem, start, key):
        x = tree.ravel(start.x)[0]
        A = problem.jacobian(start.x)
        P = jnp.linalg.pinv(A)
        own = jnp.sum(P * A.T, axis=1)
        d = jnp.where(own > 0, 1 / jnp.where(own > 0, own, 1), 0)
        b = A @ x - tree.ravel(problem.residual(start.x))[0]
        first, no = jnp.sum(abs(P @ b)), jnp.asarray(False)
        return HyperlistaState(start.x, x, P, d, first, no)

    def step(self, problem, state, key):
        x, back = tree.ravel(state.x)
        q = state.P @ tree.ravel(problem.residual(state.x))[0]
        c = (self.c1, self.c2, self.c3)
        new = layer(x, state.old, q, state.d, state.first, c)
        stuck = jnp.all((new == x) & (x == state.old))
        return HyperlistaState(back(new), x, state.P, state.d, state.first, stuck)


def layer(x, old, q, d, first, c):
    """x+ from x, x-, A^+ (A x - b), the diagonal of W', ||A^+ b||_1 and the c's."""
    c1, c2, c3 = (jnp.asarray(v, x.dtype) for v in c)
    error = jnp.sum(abs(q))
    theta, beta = c1 * error, c2 * jnp.sum(x != 0).astype(x.dtype)
    # Without a residual everything is kept.
    share = c3 * jnp.log(first / jnp.where(error > 0, error, 1))
    share = jnp.where(error > 0, jnp.clip(share, 0, 1), 1)
    p = jnp.floor(share * x.size).astype(jnp.int32)
    z = x - d * q + beta * (x - old)
    size = abs(z)
    down = -jnp.sort(-size)
    kept = (p > 0) & (size >= down[jnp.maximum(p - 1, 0)])
    moved = jnp.where(kept, z, z - jnp.sign(z) * theta)
    # NaN fails the comparison, and must not come out as a clean zero.
    return jnp.where(size <= theta, 0, moved)


def linear(problem):
    """Whether the Jacobian is the same at the start and beside it."""
    if compat.any_tracer(problem):
        return True
    x = problem.start().x
    flat = tree.ravel(x)[0]
    two = [flat, flat + 1 + abs(flat)]
    A, B = (np.asarray(problem.jacobian(tree.ravel(x)[1](v))) for v in two)
    return bool(np.allclose(A, B, rtol=1e-5, atol=1e-6 * np.max(abs(A), initial=0)))
