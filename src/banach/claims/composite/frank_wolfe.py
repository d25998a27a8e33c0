"""Frank-Wolfe by steps of 2 / (t + 2), taken where f is defined and does not rise.

For generalised self-concordant f the gaps fall like 1 / t without line search, second
derivatives or constants. Tried on portfolios of logarithmic utility over the simplex
(M = 2, nu = 3; theirs, begun at a vertex, and some whose vertices are outside the
domain) and on logistic regression over an l1 ball (nu = 2, M the largest row).
Reduced: 400 days of 300 assets (theirs up to 5,000 of 5,000). The proof needs L at the
iterates alone: it is the largest over a sample of them. Left out: backtracking, away
steps.

What is seen: second-order steps are outperformed on some portfolios, not on each.
"""

import functools

import jax.numpy as jnp
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import Seen, at_most, fresh, proved, reported
from banach.kinds.composite.problem import Composite
from banach.kinds.glm.losses import LogisticLoss
from banach.kinds.glm.problem import GLM
from banach.methods.composite.frank_wolfe import FrankWolfe
from banach.terms.sets import L1Ball, Simplex

STEPS, RADIUS = 5000, 10.0


def utility(x, R):
    """-sum_t log (r_t' x)."""
    return -jnp.sum(jnp.log(R @ x))


def gap(problem, point):
    """max_v <grad f(x), x - v>, which f - f* does not exceed."""
    g = problem.grad(point.x)
    return jnp.vdot(g, point.x - problem.lmo(g))


@functools.lru_cache
def portfolios():
    """Name -> returns, the start; with losses an asset may lose everything in a day."""
    found = {}
    for seed in (0, 1, 2, 3, fresh()):
        rng = np.random.default_rng(seed)
        R = 1 + 0.1 * rng.standard_normal((400, 300))
        name = "fresh" if seed == fresh() else f"{seed}"
        found[f"portfolio {name}"] = R, np.eye(300)[0]
        R = (1 + 0.03 * rng.standard_normal((200, 100))) * (
            rng.random((200, 100)) > 0.1
        )
        found[f"losses {name}"] = R, np.full(100, 0.01)
    return found


@functools.lru_cache
def tried():
    """Name -> problem, W(x) with the Hessian at most W'W, M, nu, the diameter."""
    found = {}
    for name, (R, start) in portfolios().items():
        problem = Composite(utility, Simplex(), start, (R,), convex=True)
        factor = lambda x, R=R: R / (R @ x)[:, None]  # noqa: E731
        found[name] = problem, factor, 2, 3, np.sqrt(2)
    tables = {**instances.tables(), "table, fresh": instances.drawn_table()}
    for name, (A, y) in tables.items():
        problem = GLM(A, y, LogisticLoss(), L1Ball(RADIUS))
        largest = np.linalg.norm(A, axis=1).max()
        # The curvature of a loss is at most 1/4.
        found[name] = problem, lambda x, A=A: A / 2, largest, 2, 2 * RADIUS
    return found


@functools.lru_cache(maxsize=20)
def rows_of(name):
    """f, gap and x after each step."""
    watch = {"f": runs.objective, "gap": gap, "x": runs.where}
    return runs.trace(tried()[name][0], FrankWolfe(), STEPS, **watch)


@proved("Carderera, Besancon and Pokutta 2021, theorem 2.4", at_most(1.0))
def rate():
    """f(x_t) - f* over its bound, the largest from step T on; f* by its lower bound."""
    worst, curves = {}, {}
    t = np.arange(STEPS + 1)
    for name, (_, factor, M, nu, D) in tried().items():
        rows = rows_of(name)
        h = rows["f"] - np.max(rows["f"] - rows["gap"])
        seen = [0, 1, 2, 5, *range(10, STEPS, 250)]
        L = max(np.linalg.norm(factor(rows["x"][i]), 2) ** 2 for i in seen)
        late = 4 * M * D if nu == 2 else 2 * M * D * np.sqrt(L)
        omega = 4 * (np.exp(0.5) - 1.5) if nu == 2 else 4 * (np.log(2) - 0.5)
        T = max(np.ceil(late) - 2, 0)
        bound = 4 * (T + 1) / (t + 1) * max(h[0], L * D**2 * omega)
        worst[name] = np.max((h / bound)[t >= T])
        curves[name] = {"f - f*": h[1:], "bound": bound[1:]}
    few = {k: curves[k] for k in ("portfolio 0", "losses 0", "wine")}
    return Seen(worst, few, ("steps", "f - f*"))


@reported("Carderera, Besancon and Pokutta 2021, theorem 2.6, figures 2, 4", at_most(1))
def gaps():
    """t min_s g(x_s) at the last of 5,000 steps over its largest before step 1,000."""
    found = {}
    t = np.arange(1, STEPS + 1)
    for name in tried():
        scaled = t * np.minimum.accumulate(rows_of(name)["gap"][1:])
        found[name] = scaled[-1] / scaled[:1000].max()
    return found


def second_order(R, x, steps):
    """Gaps with the step of Dvurechensky et al. (2020), which needs the Hessian."""
    found = []
    for _ in range(steps):
        g = -R.T @ (1 / (R @ x))
        d = np.eye(x.size)[np.argmin(g)] - x
        found.append(-g @ d)
        e = np.linalg.norm(R @ d / (R @ x))
        x = x + min(1, found[-1] / (e * (found[-1] + e))) * d
    return np.array(found)


@reported("Carderera, Besancon and Pokutta 2021, figure 2", at_most(1.0))
def second_order_steps():
    """Steps until the gap is 1e-3 of the first, over those of second-order steps."""
    found = {}
    for name, (R, start) in portfolios().items():
        if "portfolio" in name:
            ways = rows_of(name)["gap"], second_order(R, start, STEPS)
            small = [g <= 1e-3 * g[0] for g in ways]
            steps = [np.argmax(s) if s.any() else np.inf for s in small]
            found[name] = steps[0] / steps[1]
    return found
