"""Linear maps and PageRank, shared by the claims of this family."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.claims.course import fresh
from banach.core import tree
from banach.core.point import Point
from banach.kinds.fixed_point.problem import FixedPoint
from banach.zoo import datasets


def affine(x, M, b):
    """M x + b."""
    return jnp.matmul(M, x, precision="highest") + b


def moved(problem: Any, point: Point) -> Any:
    """||T(x) - x||."""
    return tree.norm(tree.sub(problem.map(point.x), point.x))


def contractions(n: int, q: float) -> dict[str, FixedPoint]:
    """Five matrices of spectral norm q, not symmetric; the last one fresh."""
    found = {}
    for name, seed in {**{f"seed {s}": s for s in range(4)}, "fresh": fresh()}.items():
        rng = np.random.default_rng(seed)
        M = rng.standard_normal((n, n))
        M *= q / np.linalg.norm(M, 2)
        args = (M, rng.standard_normal(n))
        found[name] = FixedPoint(affine, np.zeros(n), args, contraction=q)
    return found


def digits_pagerank(n: int, q: float) -> FixedPoint:
    """PageRank with damping q among n handwritten digits, from all mass on the first.

    Each points to its ten nearest neighbours: q P' contracts by q in the 1-norm, and
    is not symmetric.
    """
    A = datasets.digits().A[:n]
    square = ((A[:, None] - A[None]) ** 2).sum(-1)
    np.fill_diagonal(square, np.inf)
    P = np.zeros((n, n))
    np.put_along_axis(P, np.argsort(square, axis=1)[:, :10], 0.1, axis=1)
    return FixedPoint(affine, np.eye(n)[0], (q * P.T, np.full(n, (1 - q) / n)))


def drawn_pagerank(n: int, q: float) -> FixedPoint:
    """The same on a graph whose nodes point to ten others, from the fresh seed."""
    rng = np.random.default_rng(fresh())
    P = np.zeros((n, n))
    chosen = rng.permuted(np.tile(np.arange(n), (n, 1)), axis=1)[:, :10]
    np.put_along_axis(P, chosen, 0.1, axis=1)
    return FixedPoint(affine, np.eye(n)[0], (q * P.T, np.full(n, (1 - q) / n)))
