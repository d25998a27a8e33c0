"""Gradient tracking: linear to the solution over a graph, where mixing alone stalls.

The theorem's constants were not at hand. What is proved is the system of three errors
that every proof of this kind closes (Qu and Li 2018 do so for a neighbouring method),
derived anew: with a = ||x_i - mean||, b = ||y_i - mean||, c = sqrt(W) ||mean - x*|| and
steps h of at most 1 / L,

a+ <= s a + h b
b+ <= L (2 + h L) a + (s + h L) b + h L^2 c
c+ <= h L a + (1 - h mu) c

Reduced: logistic regression (l2 = 0.1), four real tables of scikit-learn and a drawn
one, sorted by label over 8 workers; the graph does not change.
"""

import functools

import numpy as np

from banach.claims import runs
from banach.claims.course import at_most, ours, proved, reported
from banach.claims.distributed._instances import logistic, tables
from banach.methods.distributed import _graphs
from banach.methods.distributed.gradient_tracking import GradientTracking

SOURCE = "Nedic, Olshevsky and Shi 2017, "
WORKERS, MU, STEPS = 8, 0.1, 1000
GRAPHS = ("ring", "line", "star", "complete")


class Mixing(GradientTracking):
    """Decentralised gradient descent: each steps along its own gradient."""

    def step(self, problem, state, key):
        """With y the gradients."""
        new = GradientTracking.step(self, problem, state, key)
        return type(new)(new.x, new.own, new.g, new.g)


def errors(s, best):
    """(a, b, c) of every state, a column each."""
    off = lambda v: np.linalg.norm(v - v.mean(1, keepdims=True), axis=(1, 2))  # noqa: E731
    far = np.linalg.norm(s.own.mean(1) - best, axis=1)
    return np.stack([off(s.own), off(s.y), np.sqrt(WORKERS) * far])


def bound(h, L, s):
    """The matrix of the three errors."""
    return np.array(
        [[s, h, 0], [L * (2 + h * L), s + h * L, h * L**2], [h * L, 0, 1 - h * MU]]
    )


@functools.cache
def tracked(name, graph):
    """(States of 1,000 steps, minimiser, the matrix) at the largest 2^-j / L."""
    problem, best = logistic(*tables()[name], WORKERS, MU)
    L, s = float(problem.facts().get("L_worker")), _graphs.slowest(graph, WORKERS)
    h = 1 / L
    while np.max(np.abs(np.linalg.eigvals(bound(h, L, s)))) >= 1:
        h /= 2
    states = runs.states(GradientTracking(h, graph), problem, STEPS)
    return states, best, bound(h, L, s)


@proved("the three errors, as in Qu and Li 2018", at_most(1.0 + 1e-9))
def three_errors():
    """(a, b, c) after t steps over G^t (a, b, c) at first, rings and all joined."""
    found = {}
    for name in tables():
        for graph in ("ring", "complete"):
            s, best, G = tracked(name, graph)
            seen, most = errors(s, best), [errors(s, best)[:, 0]]
            for _ in range(STEPS):
                most.append(G @ most[-1])
            ratio = seen[:, 1:] / np.array(most)[1:].T
            found[f"{name}, {graph}"] = np.max(ratio)
    return found


@proved(SOURCE + "mean y is the mean gradient", at_most(1e-12))
def tracks():
    """||mean(y) - mean(grad f_i(x_i))|| over max ||y_i||, 1,000 steps."""
    found = {}
    for name in tables():
        s, _, _ = tracked(name, "ring")
        far = np.linalg.norm(s.y.mean(1) - s.g.mean(1), axis=1)
        found[name] = np.max(far / np.max(np.linalg.norm(s.y[0], axis=1)))
    return found


@reported(SOURCE + "geometric, where mixing alone stalls at a floor", at_most(1.0))
def below_mixing():
    """||x - x*|| over that without y, ring, 5,000 steps of `suggest`'s size."""
    found = {}
    for name, table in tables().items():
        problem, best = logistic(*table, WORKERS, MU)
        own = runs.suggested(GradientTracking, problem)
        ends = [
            runs.trace(problem, m, 5000, every=5000, x=runs.where)["x"][-1]
            for m in (own, Mixing(own.step_size))
        ]
        found[name] = np.divide(*(np.linalg.norm(x - best) for x in ends))
    return found


@ours("a rule of ours for the step suffices on each graph", at_most(1e-6))
def rule():
    """||x - x*|| over that at first, 20,000 steps of `suggest`'s size, worst graph."""
    found = {}
    for name, table in tables().items():
        problem, best = logistic(*table, WORKERS, MU)
        ends = []
        for graph in GRAPHS:
            m = runs.suggested(GradientTracking, problem, graph=graph)
            x = runs.trace(problem, m, 20_000, every=20_000, x=runs.where)["x"]
            ends.append(np.linalg.norm(x[-1] - best) / np.linalg.norm(best))
        found[name] = max(ends)
    return found
