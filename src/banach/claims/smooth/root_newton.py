"""Damped Newton steps in the local norm: fast from anywhere, in any coordinates.

Hanzely, Abdukhakimov and Takac (2024): Root Newton lowers f at each step by
||g+||*^2 / (2 theta), from which rates up to k^-3 follow; Universal Newton converges as
if the best constant were known. Reduced: five tables; M = L / (2 mu^1.5) for q = 3, or
from a grid that holds 0, pure Newton.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_least, at_most, proved, reported
from banach.claims.smooth import _newton
from banach.methods.smooth._damped_newton_steps import Backtracking, Explicit
from banach.methods.smooth.root_newton import RootNewton


@proved("Hanzely, Abdukhakimov and Takac 2024 (affine invariance)", at_most(1e-8))
def invariance():
    """The largest relative change of ten iterates in other coordinates x = T z."""
    found, method = {}, RootNewton(Backtracking())
    for name, p in _newton.far(0.1).items():
        other, T = _newton.moved(p)
        x, z = (runs.trace(v, method, 10, x=runs.where)["x"] for v in (p, other))
        found[name] = np.abs(x - z @ T.T).max() / np.abs(x).max()
    return found


@proved("Hanzely, Abdukhakimov and Takac 2024 (decrease of a step)", at_least(1))
def decrease():
    """(f - f+) 2 theta / ||g+||*^2, the least of 30 steps of Root Newton, q = 3."""
    found, curves = {}, {}
    for name, problem in _newton.far(0.1).items():
        M = _newton.lipschitz(problem) / (2 * 0.1**1.5)
        watch = {"f": runs.objective, "g": _newton.gradient, "H": _newton.hessian}
        rows = runs.trace(problem, RootNewton(Explicit(M, 3.0)), 30, **watch)
        f, g, H = rows["f"], rows["g"], rows["H"][:-1]
        square, after = (_newton.dual_squares(H, v) for v in (g[:-1], g[1:]))
        theta = np.sqrt(9 * M * np.sqrt(square))
        found[name] = np.min((f[:-1] - f[1:]) * 2 * theta / after)
        curves[name] = {"Root Newton": f - f[-1]}
    return Seen(found, curves, ("steps", "f - f(x_30)"))


@reported("Hanzely, Abdukhakimov and Takac 2024 (Universal Newton)", at_most(1, "mean"))
def universal():
    """Hessians of Universal Newton to 1e-8 of ||g||, over the best M of Root Newton."""
    grid = (0.0, *np.logspace(-6, 2, 9))
    methods = {M: lambda _, M=M: RootNewton(Explicit(M, 3.0)) for M in grid}
    methods["ours"] = lambda _: RootNewton(Backtracking())
    problems, small = _newton.far(1e-3), runs.gradient_norm
    table = runs.prices(problems, methods, small, 1e-8, 100, "hess")
    return {k: row["ours"] / min(row[M] for M in grid) for k, row in table.items()}
