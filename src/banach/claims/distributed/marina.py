"""MARINA finds stationary points at proved rates, and beside DIANA.

Expectations are means of five seeds. Reduced: four real tables of scikit-learn and a
drawn one, sorted by label over 8 workers; Rand-K of a tenth, p the share of a message.
L_worker stands in for the root mean square of the workers' constants, which it bounds.
The figures were told from memory: MARINA beside DIANA, both at the steps of theory, on
losses that are not convex; DIANA's, 1 / (L (1 + (1 + omega) sqrt(omega / W))), is that
of the table of rates, so remembered. Both are tuned besides.
"""

import functools

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported, tuned
from banach.claims.distributed._instances import bent, logistic, over_descent, tables
from banach.methods.distributed._compressors import RandK
from banach.methods.distributed.diana import Diana
from banach.methods.distributed.marina import Marina

SOURCE = "Gorbunov et al. 2021, "
WORKERS, STEPS, MU, SEEDS = 8, 1000, 0.1, range(5)
KNOWN = "L", "L_worker"


def made(problem, twice=1, mu=None, step=None):
    """At the proved step; twice = 2 and mu for the Polyak-Lojasiewicz theorem."""
    own = runs.suggested(Marina, problem)
    L, p = float(problem.facts().get("L_worker")), own.p
    omega = own.compressor.omega(problem.size())
    size = 1 / (L * (1 + np.sqrt(twice * (1 - p) * omega / (p * WORKERS))))
    size = size if mu is None else min(size, p / (2 * mu))
    return Marina(size if step is None else step, p, own.compressor)


def mean(problem, method, watch, every=1):
    """A watched number after 0, every, .. STEPS steps, the mean of five seeds."""
    rows = [
        runs.trace(problem, method, STEPS, seed=seed, every=every, w=watch)["w"]
        for seed in SEEDS
    ]
    return np.mean(rows, axis=0)


def squared(problem, point):
    """||grad F||^2."""
    return runs.gradient_norm(problem, point) ** 2


@proved(SOURCE + "theorem 2.1", at_most(1.0))
def stationary():
    """Mean ||grad F||^2 of t steps over 2 (F0 - inf) / (g t), the largest.

    Not convex; 0 bounds F from below.
    """
    found, t = {}, np.arange(1, STEPS + 1)
    for name, table in tables().items():
        problem = bent(*table, WORKERS)
        m = made(problem)
        seen = np.cumsum(mean(problem, m, squared)[:-1]) / t
        first = float(problem.value(problem.start().x))
        found[name] = np.max(seen * m.step_size * t / (2 * first))
    return found


@proved(SOURCE + "theorem 2.2", at_most(1.0))
def linear():
    """Mean F - F* over (1 - g mu)^t (F0 - F*), largest while that is > 1e-12."""
    found, t = {}, np.arange(0, STEPS + 1, 10)
    for name, table in tables().items():
        problem, best = logistic(*table, WORKERS, MU)
        m = made(problem, 2, MU)
        gap = mean(problem, m, runs.objective, 10) - float(problem.value(best))
        falls = (1 - m.step_size * MU) ** t
        found[name] = np.max((gap / gap[0] / falls)[falls > 1e-12])
    return found


@functools.cache
def paid(name, kind, tune):
    """Bits to 1e-3 of ||grad F0||, not convex; steps of theory, or the best 2^j / L."""
    problem = bent(*tables()[name], WORKERS)
    L, steep = (float(problem.facts().get(k)) for k in KNOWN)
    n = problem.size()
    c = RandK(max(1, n // 10))
    w = 1 + c.omega(n)

    def cost(step, cap):
        m = made(problem, step=step) if kind == "MARINA" else Diana(step, 1 / w, c)
        run = runs.until(problem, m, runs.gradient_norm, 1e-3, cap)
        return float(m.sent(problem, run.steps)["up"]) if run.reached else np.inf

    if tune:
        return tuned([2.0**j for j in range(-4, 4)], lambda s: cost(s / L, 2000))[1]
    proved = 1 / (steep * (1 + w * np.sqrt((w - 1) / WORKERS)))
    return cost(made(problem).step_size if kind == "MARINA" else proved, 20_000)


@reported(SOURCE + "figures: fewer bits than DIANA, steps of theory", at_most(1.0))
def against_diana():
    """Bits to 1e-3 of ||grad F0|| over those of DIANA, not convex."""
    return {k: paid(k, "MARINA", False) / paid(k, "DIANA", False) for k in tables()}


@reported(SOURCE + "abstract: superior in practice, here tuned", at_most(1.0, "mean"))
def against_tuned_diana():
    """Bits to 1e-3 of ||grad F0|| over those of DIANA, steps tuned; not convex."""
    return {k: paid(k, "MARINA", True) / paid(k, "DIANA", True) for k in tables()}


@ours("tuned, bits beside gradient descent", at_most(0.5))
def tuned_bits():
    """Bits sent to 1e-6 of F0 - F*, over gradient descent's, steps tuned."""
    return over_descent(lambda problem, s: made(problem, step=s))
