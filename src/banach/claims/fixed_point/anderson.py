"""Anderson acceleration is GMRES on linear maps, and faster than EM where EM is slow.

Walker and Ni (2011): without truncation, on x -> M x + b, the next iterate is g at the
iterate of GMRES; the means of poorly separated mixtures of normal densities take far
fewer steps than by EM. Toth and Kelley (2015): where ||M|| = c < 1 no residual is above
c times the one before. Reduced: mixtures of 10,000 draws; their start is our own.
"""

import numpy as np
from scipy.sparse.linalg import gmres

from banach.claims import instances, runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.fixed_point import _instances as maps
from banach.methods.fixed_point.anderson import Anderson
from banach.methods.fixed_point.picard import Picard


@proved("Walker and Ni 2011, equivalence with GMRES", at_most(1e-6))
def equivalence():
    """Relative distance of x_{k+1} from g(x_k of GMRES), the largest of 15 steps."""
    problems = {"digits": maps.digits_pagerank(200, 0.85)}
    problems |= instances.drawn(maps.contraction, n=200, q=0.95)
    found = dict.fromkeys(problems, 0.0)
    for name, problem in problems.items():
        M, b = problem.args
        x = runs.trace(problem, Anderson(16, cutoff=1e-14), 15, x=runs.where)["x"]
        for k in range(1, 15):
            v, _ = gmres(np.eye(200) - M, b, x[0], rtol=0, restart=k, maxiter=1)
            away = np.linalg.norm(x[k + 1] - M @ v - b) / np.linalg.norm(M @ v + b)
            found[name] = max(found[name], away)
    return found


@proved("Toth and Kelley 2015, linear contractions", at_most(1.0))
def contraction():
    """||f_{k+1}|| over c ||f_k||, the largest of 30 steps; memories 1, 3 and 10."""
    found = {}
    for name, problem in instances.drawn(maps.contraction, n=100, q=0.95).items():
        for m in (1, 3, 10):
            f = runs.trace(problem, Anderson(m), 30, f=maps.moved)["f"]
            found[f"memory {m}, {name}"] = np.max(f[1:] / f[:-1]) / 0.95
    return found


def share(problems):
    """Steps of Anderson over those of EM to 1e-8 of the residual."""
    makes = {"ours": lambda _: Anderson(10), "EM": lambda _: Picard(1.0)}
    rows = runs.prices(problems, makes, maps.moved, 1e-8, 10_000, "map")
    return runs.ratios(rows, "ours", "EM")


@reported("Walker and Ni 2011, experiments with mixtures", at_most(1.0))
def poor():
    """Steps over those of EM, means (0, 1, 2) and (0, 0.5, 1), five draws each."""
    return share(maps.mixtures((0.0, 1.0, 2.0), (0.0, 0.5, 1.0)))


@ours("a user's question", at_most(1.0))
def other():
    """The same where EM is fast: means (0, 2, 4) and (0, 3, 6), iris and wine."""
    separated = maps.mixtures((0.0, 2.0, 4.0), (0.0, 3.0, 6.0))
    return share(separated | maps.species())
