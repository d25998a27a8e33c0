"""Cubic Newton with one Hessian for m steps: global rate, and less arithmetic.

Doikov, Chayti and Jaggi (2023): with M = 6 m L the least gradient of k steps is
O((sqrt(M) (f(x0) - f*) / k)^(2/3)), convergence is superlinear from phase to phase, and
m = d saves up to sqrt(d) of the arithmetic, a Hessian counted as d gradients. The
constant below, 4.36, is derived here from their lemma's terms (theirs could not be
read). Reduced: five tables, d at most 64.
"""

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import Seen, at_least, at_most, ours, proved, reported
from banach.claims.smooth._newton import lipschitz
from banach.methods.smooth.lazy_newton import LazyNewton
from banach.parts.newton import Cubic

M_STEPS, PHASES = 5, 40


def lazy(period, M=None):
    """The paper's: no Hessian before its time."""
    return LazyNewton(Cubic(), period, np.inf, M)


@proved("Doikov, Chayti and Jaggi 2023, section 3 (constant ours)", at_most(1))
def rate():
    """min ||g|| over (4.36 sqrt(M) (f(x0) - f(x_k)) / k)^(2/3), the largest by phase.

    With m = 5 and M = 6 m L.
    """
    found, curves = {}, {}
    for name, problem in instances.logistic().items():
        M = 6 * M_STEPS * lipschitz(problem)
        watch = {"f": runs.objective, "g": runs.gradient_norm}
        rows = runs.trace(problem, lazy(M_STEPS, M), M_STEPS * PHASES, **watch)
        k = np.arange(M_STEPS, M_STEPS * PHASES + 1, M_STEPS)
        fell = rows["f"][0] - rows["f"][k]
        bound = (4.36 * np.sqrt(M) * fell / k) ** (2 / 3)
        least = np.minimum.accumulate(rows["g"][1:])[k - 1]
        found[name] = np.max(least / bound)
        curves[name] = {"least ||g||": (k, least), "bound": (k, bound)}
    return Seen(found, curves, ("steps", "gradient norm"))


@proved(
    "Doikov, Chayti and Jaggi 2023, section 5 (local superlinear rate)", at_least(1)
)
def superlinear():
    """Digits gained by the last complete phase, over those of the one before.

    With m = 2, M = 6 m L and l2 = 0.1, down to 1e-13 of the first gradient.
    """
    found = {}
    for name, problem in instances.logistic(0.1).items():
        method = lazy(2, 12 * lipschitz(problem))
        g = runs.trace(problem, method, 400, every=2, g=runs.gradient_norm)["g"]
        gained = -np.diff(np.log(g[g > 1e-13 * g[0]]))
        found[name] = gained[-1] / gained[-2]
    return found


@reported("Doikov, Chayti and Jaggi 2023, experiments", at_most(1))
def arithmetic():
    """Gradients and d for each Hessian to ||g|| <= 1e-8, over a Hessian every step.

    With m = d, as they recommend; both adapt M.
    """
    found = {}
    for name, problem in instances.logistic().items():
        d = problem.size()
        run = {
            m: runs.until(problem, lazy(m), runs.gradient_norm, 1e-8, 400)
            for m in (d, 1)
        }
        price = {"grad": 1.0, "hess": d}
        found[name] = run[d].price(price) / run[1].price(price)
    return found


@ours("a user's question", at_most(1))
def default():
    """The same price of the default, which renews early and learns, over m = d."""
    found = {}
    for name, problem in instances.logistic().items():
        price = {"grad": 1.0, "hess": problem.size()}
        ways = runs.suggested(LazyNewton, problem), lazy(problem.size())
        paid = [
            runs.until(problem, way, runs.gradient_norm, 1e-8, 400).price(price)
            for way in ways
        ]
        found[name] = paid[0] / paid[1]
    return found
