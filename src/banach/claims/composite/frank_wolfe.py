"""Frank-Wolfe by steps of 2 / (t + 2), taken where f is defined and does not rise.

For generalised self-concordant f (here logarithmic utility, M = 2, nu = 3) the gaps
fall like 1 / t without line search, second derivatives or constants. Reduced: 400 days
of 300 assets (theirs up to 5,000 of 5,000); L is the largest over a sample of the
iterates. Left out: logistic regression, the Birkhoff polytope, backtracking, away
steps. What is seen: second-order steps are outperformed on some portfolios only.
"""

import functools

import numpy as np

from banach.claims import runs
from banach.claims.composite import _instances
from banach.claims.course import Seen, at_most, proved, reported
from banach.methods.composite.frank_wolfe import FrankWolfe

STEPS = 5000


@functools.lru_cache
def tried():
    """Name -> returns, and f, gap and x after each step."""
    watch = {"f": runs.objective, "gap": _instances.gap, "x": runs.where}
    problems = {**_instances.portfolios(), **_instances.portfolios(losses=True)}
    return {
        name: (
            problem.smooth.args[0],
            runs.trace(problem, FrankWolfe(), STEPS, **watch),
        )
        for name, problem in problems.items()
    }


@proved("Carderera, Besancon and Pokutta 2021, theorem 2.4", at_most(1.0))
def rate():
    """f(x_t) - f* over its bound, the largest from step T on; f* by its lower bound."""
    worst, curves, t = {}, {}, np.arange(STEPS + 1)
    for name, (R, rows) in tried().items():
        h = rows["f"] - np.max(rows["f"] - rows["gap"])
        sample = rows["x"][[0, 1, 2, 5, *range(10, STEPS, 250)]]
        L = max(np.linalg.norm(R / (R @ x)[:, None], 2) ** 2 for x in sample)
        # M D = 2 sqrt(2).
        T = np.ceil(4 * np.sqrt(2 * L)) - 2
        limit = max(h[0], 8 * L * (np.log(2) - 0.5)) * 4 * (T + 1) / (t + 1)
        worst[name] = np.max((h / limit)[t >= T])
        curves[name] = {"f - f*": h[1:], "bound": limit[1:]}
    few = {k: curves[k] for k in ("seed 0", "seed 0, losses")}
    return Seen(worst, few, ("steps", "f - f*"))


@reported("Carderera, Besancon and Pokutta 2021, theorem 2.6, figures 2, 4", at_most(1))
def gaps():
    """t min_s g(x_s) at the last of 5,000 steps over its largest before step 1,000."""
    found = {}
    for name, (_, rows) in tried().items():
        scaled = np.arange(1, STEPS + 1) * np.minimum.accumulate(rows["gap"][1:])
        found[name] = scaled[-1] / scaled[:1000].max()
    return found


@reported("Carderera, Besancon and Pokutta 2021, figure 2", at_most(1.0))
def second_order_steps():
    """Steps until the gap is 1e-3 of the first, over those of second-order steps."""
    found = {}
    for name in _instances.portfolios():
        R, rows = tried()[name]
        ways = rows["gap"], _instances.second_order(R, rows["x"][0], STEPS)
        own, other = (
            np.append(np.flatnonzero(g <= 1e-3 * g[0]), np.inf)[0] for g in ways
        )
        found[name] = own / other
    return found
