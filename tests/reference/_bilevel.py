"""Ridge tasks with shared penalties, their derivatives in NumPy, and a driver."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from reference._case import Case

from banach.core.tree import dtype
from banach.engine.loop import leaves_in
from banach.kinds.bilevel.problem import Bilevel
from banach.methods.bilevel._block_estimators import draw_rows

M, N, P = 4, 10, 3
rng = np.random.default_rng(2)
A, C = (rng.standard_normal((M, N, P)) for _ in range(2))
TRUTH = rng.standard_normal((M, P)) * np.array([1.5, 0.4, 0.0])
B = np.einsum("mnp,mp->mn", A, TRUTH) + 0.5 * rng.standard_normal((M, N))
D = np.einsum("mnp,mp->mn", C, TRUTH) + 0.5 * rng.standard_normal((M, N))
X0, Y0 = np.array([0.5, -0.5, 0.2]), 0.1 * np.ones((M, P))
WEIGHT = 0.1


def upper(x, y, row):
    a, b = row
    return (a @ y - b) ** 2 / 2 + WEIGHT / 2 * jnp.sum(x**2)


def lower(x, y, row):
    a, b = row
    return (a @ y - b) ** 2 / 2 + jnp.sum(jnp.exp(x) * y**2) / 2


def problem(**more):
    return Bilevel(
        upper, lower, X0, Y0, upper_rows=(C, D), lower_rows=(A, B), blocks=True,
        lower_strongly_convex=True, **more,
    )  # fmt: skip


def single(**more):
    """The first task alone, without blocks."""
    return Bilevel(
        upper, lower, X0, Y0[0], upper_rows=(C[0], D[0]), lower_rows=(A[0], B[0]),
        lower_strongly_convex=True, **more,
    )  # fmt: skip


def _rows(W, t, i, rows):
    return W[i][rows], t[i][rows]


def upper_grad(x, y, i, rows):
    """(F_i)_x and (F_i)_y on rows of block i."""
    a, b = _rows(C, D, i, rows)
    return WEIGHT * x, a.T @ (a @ y - b) / len(rows)


def lower_grad(x, y, i, rows):
    a, b = _rows(A, B, i, rows)
    return a.T @ (a @ y - b) / len(rows) + np.exp(x) * y


def lower_hvp(x, y, v, i, rows):
    a, _ = _rows(A, B, i, rows)
    return a.T @ (a @ v) / len(rows) + np.exp(x) * v


def cross(x, y, v, i, rows):
    return np.exp(x) * y * v


ORACLES = SimpleNamespace(
    upper_grad=upper_grad, lower_grad=lower_grad, lower_hvp=lower_hvp, cross=cross
)


def phi_grad(x, blocks=range(M)):
    """The exact hypergradient of the mean of the tasks, and y*(x)."""
    everything, g, ys = np.arange(N), 0, []
    for i in blocks:
        H = A[i].T @ A[i] / N + np.diag(np.exp(x))
        y = np.linalg.solve(H, A[i].T @ B[i] / N)
        fx, fy = upper_grad(x, y, i, everything)
        g = g + fx - cross(x, y, np.linalg.solve(H, fy), i, everything)
        ys.append(y)
    return g / len(ys), np.array(ys)


def iterates(p, method, keys):
    """x after init and after each step, and every state; keys[0] is init's."""
    start = p.start()
    method = leaves_in(dtype(start.x), method)
    state = jax.jit(lambda m, p: m.init(p, start, keys[0]))(method, p)
    step = jax.jit(lambda m, p, s, k: m.step(p, s, k))
    states = [state]
    for k in keys[1:]:
        state = step(method, p, state, k)
        states.append(state)
    return [np.asarray(method.point(s).x[0]) for s in states], states


def with_start(p):
    """The oracles, and the start as (x, y by blocks)."""
    y0 = Y0 if p.counts()[0] == M else Y0[:1]
    return SimpleNamespace(**vars(ORACLES), x0=X0, y0=y0)


def whole():
    """Phi, its gradient and y* at x, and the start."""

    def phi(x):
        p, y = phi_grad(x)
        losses = [(C[i] @ y[i] - D[i]) ** 2 / 2 for i in range(M)]
        return np.mean(losses) + WEIGHT / 2 * x @ x, p, y

    return SimpleNamespace(phi=phi, x0=X0)


def case(p, steps, /, told=dict, **given):
    """A case of a method that draws: its reference is told the keys, and `told()`."""

    def keys(keys):
        return {"keys": keys, **told()}

    return Case(p, with_start(p), given, keys, steps)


def drawn(key, blocks, batch):
    """The rows of each block that a key draws."""
    return np.asarray(draw_rows(key, blocks, batch, N))
