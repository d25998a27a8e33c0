"""Linear maps, PageRank, and EM for the means of mixtures."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.claims.course import fresh
from banach.claims.instances import drawn
from banach.core import tree
from banach.core.point import Point
from banach.kinds.fixed_point.problem import FixedPoint
from banach.zoo import datasets

SHARES = np.array([0.3, 0.3, 0.4])


def affine(x, M, b):
    """M x + b."""
    return jnp.matmul(M, x, precision="highest") + b


def moved(problem: Any, point: Point) -> Any:
    """||T(x) - x||."""
    return tree.norm(tree.sub(problem.map(point.x), point.x))


def contraction(rng: Any, n: int, q: float) -> FixedPoint:
    """A matrix of spectral norm q that is not symmetric, from zero."""
    M = rng.standard_normal((n, n))
    M *= q / np.linalg.norm(M, 2)
    return FixedPoint(affine, np.zeros(n), (M, rng.standard_normal(n)), contraction=q)


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


def mixture(rng: Any, means: tuple[float, ...]) -> FixedPoint:
    """10,000 draws of three unit normals in fixed proportions; begun at quartiles."""
    kinds = rng.choice(3, 10_000, p=SHARES)
    data = np.array(means)[kinds] + rng.standard_normal(10_000)
    start = np.quantile(data, [0.25, 0.5, 0.75])[:, None]
    return FixedPoint(_em, start, (data[:, None], np.log(SHARES), np.ones((3, 1, 1))))


def mixtures(*means: tuple[float, ...]) -> dict[str, FixedPoint]:
    """Five draws of each."""
    every = {m: drawn(mixture, means=m) for m in means}
    return {f"{m}, {k}": p for m, row in every.items() for k, p in row.items()}


def species() -> dict[str, FixedPoint]:
    """Means of the three classes of iris and wine; shares and covariances are known."""
    iris, wine = datasets.iris(), datasets.wine()
    tables = {"iris": (iris.A, iris.y), "wine": (datasets.standardised(wine.A), wine.y)}
    return {name: _species(A, y) for name, (A, y) in tables.items()}


def _species(A, y):
    groups = [A[y == k] for k in np.unique(y)]
    covariances = np.array([np.cov(g.T, bias=True) for g in groups])
    shares = np.array([len(g) / len(A) for g in groups])
    weights = np.log(shares) - np.linalg.slogdet(covariances)[1] / 2
    start = A.mean(axis=0) + np.array([-1, 0, 1])[:, None] * A.std(axis=0) / 2
    return FixedPoint(_em, start, (A, weights, np.linalg.inv(covariances)))


def _em(means, data, weights, precisions):
    """A step of EM for the means alone: data (n, p), means (k, p)."""
    away = data[:, None] - means
    square = jnp.einsum("nkp,kpq,nkq->nk", away, precisions, away)
    share = jax.nn.softmax(weights - square / 2, axis=1)
    return share.T @ data / share.sum(axis=0)[:, None]
