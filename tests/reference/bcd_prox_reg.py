"""BCD-PR: Kwon and Lyu (2023), algorithm 1, on lists of blocks.

The inner solver and its stopping rule are banach's own.
"""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from reference._case import Case, lasso, logarithms

from banach.kinds.composite.problem import Composite
from banach.terms.product import Product
from banach.terms.sets import Nonnegative, Simplex


def _factors(mixtures=False):
    """W H near X: two blocks >= 0, or W >= 0 and h of a simplex: (problem, oracles)."""
    rng = np.random.default_rng(9)
    W, H = rng.uniform(size=(4, 2)), rng.uniform(size=(2, 1 if mixtures else 5))
    X = rng.uniform(size=(4, 2)) @ rng.uniform(size=(2, H.shape[1]))
    H = H[:, 0] / H.sum() if mixtures else H
    X = X[:, 0] if mixtures else X

    def f(x):
        return jnp.sum((jnp.matmul(x[0], x[1], precision="highest") - X) ** 2) / 2

    def grad(x):
        R = x[0] @ x[1] - X
        return [np.outer(R, x[1]) if mixtures else R @ x[1].T, x[0].T @ R]

    def prox(x, t):
        if not mixtures:
            return [np.maximum(v, 0) for v in x]
        down = np.sort(x[1])[::-1]
        cut = [(down[: k + 1].sum() - 1) / (k + 1) for k in range(2)]
        keep = max(k for k in range(2) if down[k] > cut[k])
        return [np.maximum(x[0], 0), np.maximum(x[1] - cut[keep], 0)]

    term = Product(Nonnegative(), Simplex()) if mixtures else Nonnegative()
    return Composite(f, term, (W, H)), SimpleNamespace(
        value=lambda x: np.sum((x[0] @ x[1] - X) ** 2) / 2,
        grad=grad, prox=prox, shapes=(W.shape, H.shape),
    )  # fmt: skip


def _one(problem, o):
    """A single array as a list of one block."""
    return problem, SimpleNamespace(
        value=lambda x: o.value(x[0]), grad=lambda x: [o.grad(x[0])],
        prox=lambda x, t: [o.prox(x[0], t)], shapes=(problem.x0.shape,),
    )  # fmt: skip


CASES = [
    Case(*_factors(), told={"weight": 0.1, "accuracy": 0.5, "inner": 50}, steps=8),
    Case(*_factors(), {"weight": 0.4, "inner": 3}, {"accuracy": 0.5}, steps=8),
    Case(*_factors(True), {"weight": 0.3, "accuracy": 0.05}, {"inner": 50}, steps=8),
    Case(*_one(*lasso()), {"weight": 0.2, "accuracy": 0.3, "inner": 9}, steps=8),
    # The first steps leave the domain.
    Case(*_one(*logarithms([0.1, 3.0, 9.0])), {"weight": 0.2, "inner": 4},
         {"accuracy": 0.5}, steps=6),
]  # fmt: skip


def iterates(o, x0, steps, *, weight, accuracy, inner):
    ends = np.cumsum([np.prod(shape) for shape in o.shapes])[:-1]
    x = [v.reshape(s) for v, s in zip(np.split(x0, ends), o.shapes, strict=True)]
    L, out = np.ones(len(x)), []
    for _ in range(steps):
        for i, first in enumerate(x):
            for done in range(inner):
                g = o.grad(x)[i]
                while True:
                    if done == 0:
                        lam = weight * L[i]
                    t, v = 1 / (L[i] + lam), list(x)
                    v[i] = x[i] - t * (g + lam * (x[i] - first))
                    new = list(x)
                    new[i] = o.prox(v, t)[i]
                    d = new[i] - x[i]
                    with np.errstate(invalid="ignore"):
                        rise = o.value(new) - o.value(x) - np.sum(g * d)
                    if rise <= L[i] / 2 * np.sum(d**2):
                        break
                    L[i] *= 2
                # (v - new) / t is a subgradient of the term.
                e = (v[i] - new[i]) / t + o.grad(new)[i] + lam * (new[i] - first)
                x = new
                if np.linalg.norm(e) <= accuracy * lam * np.linalg.norm(x[i] - first):
                    break
            L[i] *= 0.9
        out.append(np.concatenate([v.ravel() for v in x]))
    return out
