"""Blocks minimised near where they are: a rate without convexity, on factorisations.

Parts of handwritten digits (NMF, rank 6) and five drawn nonnegative tensors of
12 x 12 x 12 (rank 4), entries in [0, 10]. The Wasserstein dictionary is theirs in
small: 40 mixtures of two bells on 40 bins, 4 atoms, atoms and codes on simplices;
reduced to one dimension, and solved by gradients through 50 Sinkhorn iterations rather
than in the dual.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import Seen, at_most, ours, proved
from banach.core import tree
from banach.kinds.composite import zoo
from banach.kinds.composite.problem import Composite
from banach.methods.composite.bcd_prox_reg import BcdProxReg
from banach.methods.composite.proximal_gradient import ProximalGradient
from banach.terms.product import Product
from banach.terms.sets import Box
from banach.terms.term import Set, onto_simplex

STEPS, TOP = 1000, 10.0
OWN = BcdProxReg(weight=0.1, accuracy=0.5, inner=1000)


def _squares(x, X):
    return jnp.sum((jnp.einsum("ir,jr,kr->ijk", *x, precision="highest") - X) ** 2) / 2


def _tensor(rng):
    true = rng.random((3, 12, 4)) * (rng.random((3, 12, 4)) < 0.7)
    X = np.einsum("ir,jr,kr->ijk", *true) + 0.01 * rng.standard_normal((12, 12, 12))
    return Composite(_squares, Box(0.0, TOP), tuple(rng.random((3, 12, 4))), (X,))


def problems():
    """Name -> problem, from drawn starts."""
    digits = zoo.load("composite:nmf_digits")
    boxed = Composite(digits.smooth, Box(0.0, TOP), digits.x0)
    return {"digits": boxed, **instances.drawn(_tensor)}


@jax.jit
def gap(problem, x):
    """The largest <-grad f(x), d>, x + d in the box and ||d|| <= 1, by bisection."""
    g, x = tree.ravel(problem.grad(x))[0], tree.ravel(x)[0]

    def moved(t):
        return jnp.clip(-t * g, -x, TOP - x)

    def halve(_, ends):
        low, high = ends
        middle = jnp.sqrt(low * high)
        short = jnp.linalg.norm(moved(middle)) <= 1
        return jnp.where(short, middle, low), jnp.where(short, high, middle)

    t, _ = jax.lax.fori_loop(0, 100, halve, (1e-12, 1e20))
    return -jnp.vdot(g, moved(t))


@jax.jit
def slope_of(problem, old, new):
    """||grad_i f(x+) - grad_i f(x_1+, .., x_i+, x_{i+1}, ..)|| over all i."""
    parts = []
    for i in range(len(old)):
        mixed = (*new[: i + 1], *old[i + 1 :])
        parts.append(problem.grad(new)[i] - problem.grad(mixed)[i])
    return tree.norm(parts)


@functools.lru_cache
def tried():
    """Name -> f, lam, moves of the blocks, stationarity gaps, slopes."""
    found = {}
    for name, problem in problems().items():
        run = runs.states(OWN, problem, STEPS)
        old, new = ([v[s] for v in run.x] for s in (np.s_[:-1], np.s_[1:]))
        pairs = zip(old, new, strict=True)
        moves = [np.sqrt(np.sum((a - b) ** 2, axis=(1, 2))) for a, b in pairs]
        s = jax.vmap(gap, (None, 0))(problem, tuple(new))
        slopes = jax.vmap(slope_of, (None, 0, 0))(problem, tuple(old), tuple(new))
        rows = run.f, run.lam[1:], np.stack(moves, axis=1), s, slopes
        found[name] = [np.asarray(v) for v in rows]
    return found


@proved("Kwon and Lyu 2023, abstract: O(1 / eps) steps (constant ours)", at_most(1.0))
def rate():
    """min_k s(x_k)^2 over (M + 1.5 lam)^2 2 (f_0 - f_n) / (lam' n), n to 1,000.

    lam and lam' are the largest and least of the weights, M the largest slope that
    grad f had along the way, 1.5 is 1 plus the accuracy.
    """
    worst, curves = {}, {}
    for name, (f, lam, moves, s, slopes) in tried().items():
        far, n = np.sqrt(np.sum(moves**2, axis=1)), np.arange(1, STEPS + 1)
        M = np.max(np.where(far > 1e-9, slopes / np.maximum(far, 1e-300), 0))
        steep = (M + 1.5 * lam.max()) ** 2
        bound = steep * 2 * (f[0] - f[1:]) / (lam.min() * n)
        best = np.minimum.accumulate(s**2)
        worst[name] = np.max(best / bound)
        curves[name] = {"s^2": best, "bound": bound}
    few = {k: curves[k] for k in ("digits", "fresh")}
    return Seen(worst, few, ("sweeps", "least s^2"))


@proved("Kwon and Lyu 2023: each block descends on its surrogate", at_most(1.0))
def descent():
    """The largest f+ + sum_i lam_i / 2 ||x_i+ - x_i||^2 - f, over 1e-12 f_0."""
    found = {}
    for name, (f, lam, moves, *_) in tried().items():
        above = f[1:] + np.sum(lam * moves**2, axis=1) / 2 - f[:-1]
        found[name] = max(above) / (1e-12 * f[0])
    return found


@ours("a user's question: is 1 / k what is seen", at_most(-0.95))
def decay():
    """The slope of log min_k s(x_k)^2 over log n, sweeps 10 to 1,000."""
    n, found = np.arange(10, STEPS + 1), {}
    for name, rows in tried().items():
        best = np.minimum.accumulate(rows[3] ** 2)[9:]
        found[name] = runs.slope(n, np.maximum(best, 1e-24))
    return found


@ours("a user's question: why not all blocks at once", at_most(1.0))
def against_whole():
    """Gradients of a block to 1e-8 of the first residual, over proximal gradient's."""

    def small(problem, point):
        forward = tree.sub(point.x, problem.grad(point.x))
        return tree.norm(tree.sub(point.x, problem.project(forward)))

    found = {}
    for name, problem in problems().items():
        own, whole = (
            runs.until(problem, m, small, 1e-8, 20000).price("grad")
            for m in (OWN, ProximalGradient(1.0, backtrack=True))
        )
        found[name] = own / (len(problem.x0) * whole)
    return found


class Columns(Set):
    """Every column on the simplex."""

    oracles = frozenset({"prox", "project"})

    def project(self, v):
        """Column by column."""
        one = jnp.ones((), v.dtype)
        return jax.vmap(lambda a: onto_simplex(a, one)[0], 1, 1)(v)


BINS, EPS = np.linspace(0, 1, 40), 0.01
KERNEL = np.exp(-((BINS[:, None] - BINS) ** 2) / EPS)


def _transport(x, X):
    """The mean entropic cost between the columns of X and of D L."""
    y = x[0] @ x[1]

    def one(q, _):
        q = 1 / (KERNEL.T @ (X / (KERNEL @ (y * q))))
        return q, None

    q, _ = jax.lax.scan(one, jnp.ones_like(y), None, 50)
    p = 1 / (KERNEL @ (y * q))
    return EPS * jnp.sum(X * jnp.log(p) + y * jnp.log(q)) / X.shape[1]


def _euclidean(x, X):
    return jnp.sum((x[0] @ x[1] - X) ** 2) / 2


def _histograms(rng):
    at = rng.uniform(0.1, 0.9, (2, 40))
    bells = np.exp(-((BINS[:, None, None] - at) ** 2) / (2 * 0.05**2))
    X, (D, L) = bells.sum(axis=1), (rng.random((40, 4)), rng.random((4, 40)))
    return X / X.sum(axis=0), (D / D.sum(axis=0), L / L.sum(axis=0))


@ours("theirs: a dictionary of distributions, against Euclidean NMF", at_most(1.0))
def wasserstein():
    """Cost of D L above that of the histograms, over NMF's, after 100 sweeps."""
    found, term = {}, Product(Columns(), Columns())
    for name, (X, start) in instances.drawn(_histograms).items():
        least = float(_transport((X, np.eye(40)), X))
        ends = []
        for f in (_transport, _euclidean):
            run = runs.states(BcdProxReg(0.1), Composite(f, term, start, (X,)), 100)
            ends.append(float(_transport([v[-1] for v in run.x], X)) - least)
        found[name] = ends[0] / ends[1]
    return found
