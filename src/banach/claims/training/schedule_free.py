"""Without a schedule as good at every time as one that knew the time.

Reduced: logistic regressions of four tables and a 64-32-10 network on digits, training
loss, batches of 32, the AdamW variant (theirs: 28 problems up to ImageNet and language
models, held-out scores). The cosine schedule is tuned for each horizon of its own, ours
once, for the last of them. The theorem is tried with exact subgradients.
"""

import functools

import jax.numpy as jnp
import numpy as np
import optax

from banach.claims import instances, runs
from banach.claims.course import Seen, at_most, ours, proved, reported
from banach.claims.training import _lanes
from banach.kinds.finite_sum.problem import FiniteSum
from banach.methods.training.schedule_free import ScheduleFree

SOURCE = "Defazio et al. 2024, "
T, PARTS = 600, 4


def deviations(rng):
    """(mean |<a, x> - b| over 40 rows of length 1, a point of comparison)."""
    A, x = rng.standard_normal((40, 8)), rng.standard_normal(8)
    A /= np.linalg.norm(A, axis=1, keepdims=True)
    b = A @ x + 0.1 * rng.laplace(size=40)
    loss = lambda x, d: jnp.abs(d[0] @ x - d[1])  # noqa: E731
    return FiniteSum(loss, np.zeros(8), (A, b), convex=True), x


@proved(SOURCE + "theorem 1", at_most(1.0))
def optimal_rate():
    """sqrt(T) (F(x_T) - F(u)) over D G, T = 400, the largest of b1 = 0, 0.5, 0.9, 1."""
    found = {}
    for name, (problem, u) in instances.drawn(deviations).items():
        D, worst = np.linalg.norm(u), -np.inf
        for b1 in (0.0, 0.5, 0.9, 1.0):
            method = ScheduleFree(D / 20, b1, base="sgd", batch=problem.n)
            rows = runs.trace(problem, method, 400, every=400, F=runs.objective)
            gap = rows["F"][-1] - float(problem.value(u))
            worst = max(worst, 20 * gap / D)
        found[name] = worst
    return found


@functools.cache
def courses(name):
    """(ours at the parts of T, cosine's at each as its horizon, constant Adam's)."""
    problem, rates = _lanes.problem(name), np.array(_lanes.RATES)
    state = ScheduleFree.evaluated
    free = lambda rate: ScheduleFree(rate).transformation()  # noqa: E731
    mine = _lanes.losses(problem, free, T, point=state, looks=PARTS).mean(axis=1)

    def cosine(lane):
        rate, horizon = lane
        return optax.adam(
            lambda t: rate * (1 + jnp.cos(jnp.pi * jnp.minimum(t / horizon, 1))) / 2
        )

    at = T // PARTS * np.arange(1, PARTS + 1)
    lanes = np.array([(rate, horizon) for rate in rates for horizon in at])
    theirs = _lanes.losses(problem, cosine, T, rates=lanes).mean(axis=(1, 2))
    theirs = theirs.reshape(len(rates), PARTS)
    plain = _lanes.losses(problem, optax.adam, T, looks=PARTS).mean(axis=1)
    best = mine[_lanes.least(mine[:, -1])]
    cosine = np.array([row[_lanes.least(row)] for row in theirs.T])
    return best, cosine, plain[_lanes.least(plain[:, -1]), -1]


@reported(SOURCE + "figure 1, matches or beats schedules", at_most(1.0, "mean"))
def against_cosine():
    """The loss after 600 steps over that of Adam with cosine decay to 600."""
    found = {name: courses(name) for name in _lanes.NAMES}
    curves = {k: v[0] / v[1] for k, v in found.items()}
    numbers = {k: v[0][-1] / v[1][-1] for k, v in found.items()}
    return Seen(numbers, {"loss over cosine's": curves}, ("quarters of T", "ratio"))


@ours("as good at every time", at_most(1.05))
def any_time():
    """The loss at T / 4, T / 2, 3 T / 4 and T over cosine's of that horizon, worst."""
    return {n: np.max(courses(n)[0] / courses(n)[1]) for n in _lanes.NAMES}


@ours("the average is what replaces the schedule", at_most(1.0, "mean"))
def against_constant():
    """The loss after 600 steps over that of Adam at its best constant rate."""
    return {n: courses(n)[0][-1] / courses(n)[2] for n in _lanes.NAMES}
