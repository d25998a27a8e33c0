"""DIANA: unbiased compression that converges to the solution, in fewer bits.

Expectations are means of five seeds. Reduced: four real tables of scikit-learn and a
drawn one, sorted by label over 8 workers; no momentum, no regulariser but l2. The rate
is that of general unbiased compression, with full gradients and h = 0 at first.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.distributed._instances import logistic, over_descent, tables
from banach.methods.distributed._compressors import Quantised, RandK
from banach.methods.distributed.diana import Diana

SOURCE = "Mishchenko et al. 2024, "
WORKERS, STEPS, MU = 8, 4000, 0.1


def made(problem, step=None, alpha=None, compressor=None):
    """DIANA with Rand-K of a tenth, or as given, at the proved settings."""
    n, L = problem.size(), float(problem.facts().get("L_worker"))
    c = RandK(max(1, n // 10)) if compressor is None else compressor
    own = Diana.of(c, L, n, problem.workers)
    step = own.step_size if step is None else step
    return Diana(step, own.alpha if alpha is None else alpha, c)


def errors(problem, best, method):
    """Mean ||x_t - x*||^2 every ten steps."""
    rows = [
        runs.trace(problem, method, STEPS, seed=seed, every=10, x=runs.where)["x"]
        for seed in range(5)
    ]
    return np.mean(np.sum((np.array(rows) - best) ** 2, axis=2), axis=0)


def over_bound(compressor):
    """The largest while the bound is above 1e-20 V_0, where rounding takes over."""
    found = {}
    for name, table in tables().items():
        problem, best = logistic(*table, WORKERS, MU)
        m = made(problem, compressor=compressor)
        omega, g = m.compressor.omega(problem.size()), float(m.step_size)
        shifts = np.mean(np.sum(np.asarray(problem.local_grad(best)) ** 2, axis=1))
        first = np.sum(best**2) + 4 * omega / (WORKERS * m.alpha) * g**2 * shifts
        t = np.arange(0, STEPS + 1, 10)
        falls = (1 - min(g * MU, m.alpha / 2)) ** t
        ratio = errors(problem, best, m) / (falls * first)
        found[name] = np.max(ratio[falls >= 1e-20])
    return found


@proved("Gorbunov, Hanzely and Richtarik 2020, DIANA, Rand-K", at_most(1.0))
def rate():
    """Mean ||x_t - x*||^2 over (1 - min(g mu, alpha / 2))^t V_0, the largest."""
    return over_bound(None)


@proved("Gorbunov, Hanzely and Richtarik 2020, DIANA, Quant_2", at_most(1.0))
def rate_of_quantisation():
    """The same with the paper's quantisation of one level."""
    return over_bound(Quantised(1))


@reported(SOURCE + "abstract: without learning no true optimum", at_most(1.0))
def learns():
    """Mean ||x - x*||^2 after 4,000 steps over that of alpha = 0, Quant_2."""
    found = {}
    for name, table in tables().items():
        problem, best = logistic(*table, WORKERS, MU)
        pair = (made(problem, None, a, Quantised(1)) for a in (None, 0.0))
        own, blind = (errors(problem, best, m)[-1] for m in pair)
        found[name] = own / blind
    return found


@ours("tuned, bits beside gradient descent", at_most(0.5))
def tuned_bits():
    """Bits sent to 1e-6 of F0 - F*, Rand-K, over gradient descent's, steps tuned."""
    return over_descent(lambda problem, s: made(problem, s))


@ours("bits beside gradient descent, both steps of theory", at_most(0.5))
def bits():
    """Bits sent to 1e-6 of F0 - F*, proved step, over those of steps of 1 / L."""
    return over_descent(lambda problem, s: made(problem), [1.0])
