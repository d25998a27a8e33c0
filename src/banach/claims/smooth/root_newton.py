"""Damped Newton steps in the local norm: fast from anywhere, in any coordinates.

Hanzely, Abdukhakimov and Takac (2024): Root Newton lowers f at each step by
||g+||*^2 / (2 theta), from which rates up to k^-3 follow; Universal Newton, which
backtracks, converges as if the best constant were known. The numbers of their theorems
could not be verified. Reduced: five tables, from weights of 2, where pure Newton may
diverge; M = L / (2 mu^1.5) for q = 3.
"""

import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import Seen, at_least, at_most, ours, proved, reported
from banach.claims.smooth._newton import gradient, hessian, lipschitz
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth._damped_newton_steps import Backtracking, Explicit
from banach.methods.smooth.lazy_newton import LazyNewton
from banach.methods.smooth.root_newton import RootNewton
from banach.parts.newton import Quadratic

GRID = np.logspace(-6, 2, 9)
CAP = 100


def problems(l2=1e-3):
    """Logistic regressions from weights of 2."""
    return {
        name: Smooth(p.fun, np.full(p.size(), 2.0), p.args, convex=True, mu=l2)
        for name, p in instances.logistic(l2).items()
    }


@proved("Hanzely, Abdukhakimov and Takac 2024 (affine invariance)", at_most(1e-8))
def invariance():
    """The largest relative change of ten iterates in other coordinates x = T z."""
    found = {}
    for name, problem in problems(0.1).items():
        Q, _ = np.linalg.qr(
            np.random.default_rng(0).standard_normal((problem.size(),) * 2)
        )
        T = Q * np.logspace(-1, 1, problem.size())
        moved = Smooth(
            lambda z, *args, f=problem.fun, T=T: f(jnp.matmul(T, z), *args),
            np.linalg.solve(T, problem.x0), problem.args, convex=True,
        )  # fmt: skip
        x, z = (
            runs.trace(p, RootNewton(Backtracking()), 10, x=runs.where)["x"]
            for p in (problem, moved)
        )
        found[name] = np.max(np.abs(z @ T.T - x)) / np.abs(x).max()
    return found


@proved("Hanzely, Abdukhakimov and Takac 2024 (decrease of a step)", at_least(1))
def decrease():
    """(f - f+) 2 theta / ||g+||*^2, the least of 30 steps of Root Newton, q = 3."""
    found, curves = {}, {}
    for name, problem in problems(0.1).items():
        M = lipschitz(problem) / (2 * 0.1**1.5)
        watch = {"f": runs.objective, "g": gradient, "H": hessian}
        rows = runs.trace(problem, RootNewton(Explicit(M, 3.0)), 30, **watch)
        f, g, H = rows["f"], rows["g"][..., None], rows["H"][:-1]
        square, after = (
            np.sum(v * np.linalg.solve(H, v), (1, 2)) for v in (g[:-1], g[1:])
        )
        theta = np.sqrt(9 * M * np.sqrt(square))
        found[name] = np.min((f[:-1] - f[1:]) * 2 * theta / after)
        curves[name] = {"Root Newton": f - f[-1]}
    return Seen(found, curves, ("steps", "f - f(x_30)"))


def hessians(problem, method):
    """Until the gradient fell by 1e-8."""
    return runs.until(problem, method, runs.gradient_norm, 1e-8, CAP).price("hess")


@reported("Hanzely, Abdukhakimov and Takac 2024 (Universal Newton)", at_most(1, "mean"))
def universal():
    """Hessians of Universal Newton until ||g|| fell by 1e-8, over the best Root Newton.

    The best of q = 3 with M on a grid from 1e-6 to 1e2, and M = 0, pure Newton.
    """
    found = {}
    for name, problem in problems().items():
        rivals = [RootNewton(Explicit(M, 3.0)) for M in (0.0, *GRID)]
        best = min(hessians(problem, rival) for rival in rivals)
        found[name] = hessians(problem, RootNewton(Backtracking())) / best
    return found


@ours("a user's question", at_most(1, "mean"))
def regularised():
    """The same over gradient-regularised Newton with the best constant of that grid."""
    found = {}
    for name, problem in problems().items():
        rivals = [LazyNewton(Quadratic(), 1, np.inf, M) for M in GRID]
        best = min(hessians(problem, rival) for rival in rivals)
        found[name] = hessians(problem, RootNewton(Backtracking())) / best
    return found
