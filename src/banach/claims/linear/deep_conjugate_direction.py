"""Learned directions reduce the residual in few steps, whatever size and domain.

Kaneda et al.: pressure Poisson systems of millions of unknowns, iterations compared
with conjugate gradients, plain, deflated and by incomplete Cholesky; a direction is
made by a network that was trained on the empty domain.
Reduced: two dimensions for three, at most 128 x 128, a network of 2,448 weights,
trained on 32 x 32 in a quarter of a minute on two cores. To ||b - A x|| <= 1e-4 ||b||,
on obstacles and right sides never trained on. Left out: deflation. The numbers of
their tables could not be verified: the statements are those of the abstract.

What is seen: few steps, but more of them on finer grids; and multigrid, which they do
not compare with, needs no more.
"""

import functools

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, fresh, ours, proved, reported
from banach.claims.linear.conjugate_gradient import poisson
from banach.kinds.linear import zoo
from banach.kinds.linear.problem import Linear
from banach.methods.linear.conjugate_gradient import ConjugateGradient
from banach.methods.linear.deep_conjugate_direction import DeepConjugateDirection
from banach.parts.grid_laplacians import poisson_grid
from banach.parts.preconditioners import IncompleteCholesky, Multigrid, Plain


def learned(problem):
    """With the shipped network."""
    return runs.suggested(DeepConjugateDirection, problem)


def by(recipe):
    """Conjugate gradients with a preconditioner."""
    return lambda _: ConjugateGradient(recipe)


METHODS = {
    "learned": learned,
    "plain": by(Plain()),
    "Cholesky": by(IncompleteCholesky()),
    "modified": by(IncompleteCholesky(0.97)),
    "multigrid": by(Multigrid()),
}


def domains(n):
    """Empty, and around obstacles."""
    empty = np.zeros((n, n), bool)
    found = {"empty": Linear(poisson_grid(empty), zoo.right_side(empty, 1000 + n))}
    seeds = {"obstacles 1": 501, "obstacles 2": 502, "obstacles 3": 503}
    return found | {k: poisson(n, s) for k, s in {**seeds, "fresh": fresh()}.items()}


@functools.lru_cache
def steps(n, *names):
    """Steps by domain and method."""
    chosen = {k: METHODS[k] for k in names}
    return runs.prices(domains(n), chosen, runs.residual_norm, 1e-4, 600, "steps")


@proved("Kaneda et al. 2023, algorithm 1: an exact step", at_most(1e-13))
def energy():
    """The largest rise of the energy error in 30 steps over the first, 32 x 32."""
    found, lines = {}, {}
    for name, problem in domains(32).items():
        K = np.asarray(problem.matrix())
        best = np.linalg.solve(K, np.ravel(problem.b))
        e = runs.trace(problem, learned(problem), 30, x=runs.where)["x"] - best
        size = np.sqrt(np.einsum("ti,ij,tj->t", e, K, e))
        found[name] = np.max(np.diff(size)) / size[0]
        lines[name] = size / size[0]
    return Seen(found, {"energy": lines}, ("steps", "energy norm of the error"))


@reported("Kaneda et al. 2023, abstract: few iterations", at_most(1.0))
def against_incomplete_cholesky():
    """Steps over those of CG by incomplete Cholesky, the better of two, at 64 x 64."""
    table = steps(64, *METHODS)
    return {
        k: row["learned"] / min(row["Cholesky"], row["modified"])
        for k, row in table.items()
    }


@reported("Kaneda et al. 2023, abstract: independent of the size", at_most(2.0))
def growth():
    """Steps at 128 x 128 over those at 32 x 32, where the network was trained."""
    fine, coarse = (steps(n, "learned") for n in (128, 32))
    return {k: fine[k]["learned"] / coarse[k]["learned"] for k in fine}


@ours("a user's question", at_most(1.0))
def against_multigrid():
    """Steps over those of CG by multigrid at 64 x 64."""
    return runs.ratios(steps(64, *METHODS), "learned", "multigrid")
