"""Learned directions reduce the residual in few steps, whatever size and domain.

Kaneda et al.: pressure Poisson systems of millions of unknowns, a network trained for
each size. Reduced: two dimensions, at most 128 x 128, one network, trained on the empty
32 x 32; to ||b - A x|| <= 1e-4 ||b||. Left out: deflation, and their tables, which
could not be verified. Multigrid, which they do not compare with, needs no more steps.
"""

import functools

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, fresh, ours, proved, reported
from banach.claims.linear import _instances
from banach.methods.linear.conjugate_gradient import ConjugateGradient
from banach.methods.linear.deep_conjugate_direction import DeepConjugateDirection
from banach.parts.preconditioners import IncompleteCholesky, Multigrid


def learned(problem):
    """With the shipped network."""
    return runs.suggested(DeepConjugateDirection, problem)


METHODS = {
    "learned": learned,
    "Cholesky": lambda _: ConjugateGradient(IncompleteCholesky()),
    "modified": lambda _: ConjugateGradient(IncompleteCholesky(0.97)),
    "multigrid": lambda _: ConjugateGradient(Multigrid()),
}


def domains(n):
    """Empty, and around obstacles."""
    seeds = {"empty": None, "1": 501, "2": 502, "3": 503, "fresh": fresh()}
    return {name: _instances.poisson(n, seed) for name, seed in seeds.items()}


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
        e, *_ = _instances.errors(problem, learned(problem), 30)
        found[name], lines[name] = np.max(np.diff(e)) / e[0], e / e[0]
    return Seen(found, {"energy": lines}, ("steps", "energy norm of the error"))


@reported("Kaneda et al. 2023, abstract: few iterations", at_most(1.0))
def against_incomplete_cholesky():
    """Steps over those of CG by incomplete Cholesky, the better of two, at 64 x 64."""
    table = steps(64, *METHODS)
    return {
        k: row["learned"] / min(row["Cholesky"], row["modified"])
        for k, row in table.items()
    }


@reported("Kaneda et al. 2023, abstract: independent of the size", at_most(1.0))
def growth():
    """Steps at 128 x 128 over those at 32 x 32, where the network was trained."""
    fine, coarse = (steps(n, "learned") for n in (128, 32))
    return {k: fine[k]["learned"] / coarse[k]["learned"] for k in fine}


@ours("a user's question", at_most(1.0))
def against_multigrid():
    """Steps over those of CG by multigrid at 64 x 64."""
    return runs.ratios(steps(64, *METHODS), "learned", "multigrid")
