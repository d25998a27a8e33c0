"""EF21 converges at proved rates whatever the compressor keeps and the workers hold.

Reduced: four real tables of scikit-learn and a drawn one, sorted by label over 8
workers, in place of LIBSVM; Top-K of a tenth of the entries. L_worker stands in for the
root mean square of the workers' constants, which it bounds. The figures were told from
memory: EF21 beside classic error feedback, each with its step tuned in powers of two.
"""

import functools

import jax
import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.distributed._instances import bent, logistic, over_descent, tables
from banach.claims.distributed.econtrol import Compensation
from banach.methods.distributed._compressors import of_share
from banach.methods.distributed.ef21 import Ef21

SOURCE = "Richtarik, Sokolov and Fatkhullin 2021, "
WORKERS, STEPS = 8, 2000


def constants(problem):
    """(compressor, r, L, L_worker)."""
    c = of_share(0.1, problem.size())
    facts = problem.facts()
    L, steep = float(facts.get("L")), float(facts.get("L_worker"))
    return c, np.sqrt(1 - c.delta(problem.size())), L, steep


def watched(problem, step):
    """F, ||grad F||^2 and G = mean ||g_i - grad f_i||^2 of states 0 .. STEPS."""
    s = runs.states(Ef21(step, constants(problem)[0]), problem, STEPS)

    @jax.jit
    @jax.vmap
    def look(x, g):
        own = problem.local_grad(x)
        return (
            problem.value(x),
            (own.mean(0) ** 2).sum(),
            ((g - own) ** 2).mean(0).sum(),
        )

    return map(np.asarray, look(s.x, s.g))


@proved(SOURCE + "theorem 1", at_most(1.0))
def stationary():
    """Mean ||grad F||^2 of t steps over 2 (F0 - inf) / (g t) + G0 / (theta t), largest.

    Not convex; 0 bounds F from below.
    """
    found = {}
    for name, table in tables().items():
        problem = bent(*table, WORKERS)
        _, r, L, steep = constants(problem)
        step = 1 / (L + steep * r / (1 - r))
        F, squared, G = watched(problem, step)
        t = np.arange(1, STEPS + 1)
        bound = 2 * F[0] / (step * t) + G[0] / ((1 - r) * t)
        found[name] = np.max(np.cumsum(squared[:-1]) / t / bound)
    return found


@proved(SOURCE + "theorem 2", at_most(1.0))
def linear():
    """F - F* + g G / theta over (1 - g mu)^t times its first, the largest."""
    found, mu = {}, 0.1
    for name, table in tables().items():
        problem, best = logistic(*table, WORKERS, mu)
        _, r, L, steep = constants(problem)
        step = min(1 / (L + steep * np.sqrt(2) * r / (1 - r)), (1 - r) / (2 * mu))
        F, _, G = watched(problem, step)
        psi = F - float(problem.value(best)) + step * G / (1 - r)
        found[name] = np.max(psi / psi[0] / (1 - step * mu) ** np.arange(STEPS + 1))
    return found


@functools.cache
def least(name, kind):
    """The least ||grad F|| of 1,000 steps of 2^j / L, the best of j = -6 .. 1."""
    problem, c = bent(*tables()[name], WORKERS), None
    c, _, L, _ = constants(problem)
    found = []
    for j in range(-6, 2):
        step = 2.0**j / L
        method = Ef21(step, c) if kind == "EF21" else Compensation(step, 1.0, c)
        g = runs.trace(problem, method, 1000, every=10, g=runs.gradient_norm)["g"]
        found.append(np.nanmin(g))
    return min(found)


@reported(SOURCE + "figures: below classic error feedback", at_most(1.0))
def below_error_feedback():
    """The least ||grad F|| of EF21 over that of error feedback, not convex."""
    return {k: least(k, "EF21") / least(k, "EF") for k in tables()}


@reported(SOURCE + "figures: tuned, fewer bits than gradient descent", at_most(1.0))
def tuned_bits():
    """Bits sent to 1e-6 of F0 - F* over those of gradient descent, steps tuned."""
    return over_descent(lambda problem, s: Ef21(s, constants(problem)[0]))


@ours("bits beside gradient descent, both steps of theory", at_most(0.5))
def bits():
    """Bits sent to 1e-6 of F0 - F*, proved step, over those of steps of 1 / L."""
    return over_descent(lambda problem, s: runs.suggested(Ef21, problem), [1.0])
