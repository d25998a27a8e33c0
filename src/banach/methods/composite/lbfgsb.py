"""L-BFGS-B: limited-memory BFGS within bounds."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import count
from banach.core.method import Method
from banach.methods.composite import _boxes

Scalar = Float[Array, ""]


class LbfgsbState(eqx.Module):
    """Iterate with f and gradient, sides, pairs (the last is the newest), counts."""

    x: PyTree
    f: Scalar
    g: PyTree
    sides: tuple[Float[Array, " n"], Float[Array, " n"]]
    S: Float[Array, "m n"]
    Y: Float[Array, "m n"]
    held: Int[Array, ""]
    trials: Int[Array, ""]
    stuck: Bool[Array, ""]


@method(
    problem="Composite",
    needs={"value", "grad", "project"},
    assumes={"smooth"},
    paper="byrd1995limited",
)
class Lbfgsb(Method):
    """Quasi-Newton steps on the coordinates that the projected gradient leaves free.

    m(z) = f + g.(z - x) + (z - x).B (z - x) / 2,  B = theta I - W M W'

    W = [Y, theta S], M as in the paper (3.4)

    x_c: the first local minimiser of m along P(x - t g) (generalised Cauchy point)

    x_m = x_c + a d,  d the minimiser of m on the free coordinates of x_c, a <= 1 as
    far as the sides allow,  x+ = x + t (x_m - x)

    `memory` pairs (s, y) are kept, those with s.y > eps y.y. All segments of the path
    are looked at together, by sums from its end, instead of one after the other. The
    search is ours: t = 1, 1/2, ... with Armijo's condition (the paper's also asks for
    curvature), and one that fails drops the pairs before the method is stuck.

    Fails for sets other than boxes, and slowly where the Hessian is ill-conditioned on
    the free coordinates: projected_newton then needs few steps.
    """

    memory: int = count(10, static=True)

    @classmethod
    def suggest(cls, problem, facts, **given):
        """With ten pairs; refused where the set is no box."""
        no = _boxes.refused(problem, "lbfgsb")
        return super().suggest(problem, facts, **given) if no is None else no

    def init(self, problem, start, key):
        f, g = problem.value_and_grad(start.x)
        v, zero = tree.ravel(start.x)[0], jnp.zeros((), jnp.int32)
        pairs = jnp.zeros((self.memory, v.size), v.dtype)
        sides = _boxes.sides(problem, start.x)
        f, no = jnp.asarray(f, v.dtype), jnp.asarray(False)
        return LbfgsbState(start.x, f, g, sides, pairs, pairs, zero, zero + 1, no)

    def step(self, problem, state, key):
        (x, back), g = tree.ravel(state.x), tree.ravel(state.g)[0]
        (low, high), model = state.sides, _model(state)
        d = _subspace(model, x, g, low, high, *_cauchy(model, x, g, low, high)) - x
        here = state.x, state.f, state.g
        (new, f, slope), ok, n = _boxes.backtrack(
            problem,
            here,
            lambda t: back(jnp.clip(x + t * d, low, high)),
            lambda t, _: -t * jnp.vdot(g, d, precision=tree.PRECISION),
        )
        s, y = tree.ravel(new)[0] - x, tree.ravel(slope)[0] - g
        keep = jnp.vdot(s, y) > jnp.finfo(x.dtype).eps * jnp.vdot(y, y)
        S, Y = (
            jnp.where(keep, jnp.concatenate([old[1:], v[None]]), old)
            for old, v in ((state.S, s), (state.Y, y))
        )
        held = jnp.where(ok, jnp.minimum(state.held + keep, self.memory), 0)
        stuck = (~ok & (state.held == 0)) | (ok & jnp.all(s == 0))
        sides, spent = state.sides, state.trials + n
        return LbfgsbState(new, f, slope, sides, S, Y, held, spent, stuck)

    def calls(self, state):
        return {"value": state.trials, "grad": state.trials, "project": 2}


def _model(state):
    """theta, W and M of B = theta I - W M W'; slots without a pair act as nothing."""
    m, dot = state.S.shape[0], lambda A, B: jnp.matmul(A, B, precision=tree.PRECISION)
    have = jnp.arange(m) >= m - state.held
    S, Y = (jnp.where(have[:, None], v, 0) for v in (state.S, state.Y))
    s_y, last = dot(S, Y.T), dot(Y[-1], Y[-1])
    theta = jnp.where(state.held > 0, last / jnp.where(last > 0, s_y[-1, -1], 1), 1)
    blank = jnp.diag(jnp.where(have, 0, 1).astype(theta.dtype))
    D, L = jnp.diag(jnp.diagonal(s_y)) + blank, jnp.tril(s_y, -1)
    middle = jnp.block([[-D, L.T], [L, theta * dot(S, S.T) + blank]])
    return theta, jnp.concatenate([Y, theta * S]).T, jnp.linalg.inv(middle)


def _cauchy(model, x, g, low, high):
    """The generalised Cauchy point, and which of its coordinates are held."""
    theta, W, M = model
    side, still = jnp.where(g > 0, low, high), jnp.where(g == 0, 1, g)
    end = jnp.where(g == 0, jnp.inf, jnp.maximum((x - side) / still, 0))
    d = jnp.where(end > 0, -g, 0)
    order = jnp.argsort(end)
    start = jnp.concatenate([jnp.zeros((1,), x.dtype), end[order]])
    after, start = start[1:], start[:-1]
    # Sums over the coordinates that still move in each segment.
    p = jnp.cumsum((W * d[:, None])[order][::-1], axis=0)[::-1]
    square = jnp.cumsum(jnp.square(d)[order][::-1])[::-1]
    length = jnp.where(jnp.isfinite(after), after - start, 0)
    c = jnp.cumsum(length[:, None] * p, axis=0) - length[:, None] * p
    pM = jnp.matmul(p, M, precision=tree.PRECISION)
    begun = jnp.where(jnp.isfinite(start), start, 0)
    slope = -square + theta * begun * square - jnp.sum(pM * c, axis=1)
    bend = theta * square - jnp.sum(pM * p, axis=1)
    t = jnp.where(slope < 0, -slope / jnp.where(bend > 0, bend, 1), 0)
    k = jnp.argmax((slope >= 0) | (begun + t <= after))
    t = begun[k] + t[k]
    return jnp.where(end <= t, side, x + t * d), (end <= t) | (low == high)


def _subspace(model, x, g, low, high, cauchy, fixed):
    """From there to the minimiser of m on the free coordinates, within the sides."""
    theta, W, M = model
    dot = lambda A, B: jnp.matmul(A, B, precision=tree.PRECISION)  # noqa: E731
    z = cauchy - x
    free = ~fixed & (cauchy > low) & (cauchy < high)
    r = jnp.where(free, g + theta * z - dot(W, dot(M, dot(W.T, z))), 0)
    F = jnp.where(free[:, None], W, 0)
    inner = jnp.eye(M.shape[0], dtype=M.dtype) - dot(M, dot(F.T, F)) / theta
    v = jnp.linalg.solve(inner, dot(M, dot(F.T, r)))
    d = -(r + dot(F, v) / theta) / theta
    room = jnp.where(d > 0, high - cauchy, cauchy - low)
    most = jnp.where(d != 0, room / jnp.where(d != 0, abs(d), 1), jnp.inf)
    return cauchy + jnp.minimum(1, jnp.min(most)) * d
