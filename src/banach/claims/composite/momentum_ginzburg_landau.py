"""Momentum beats the gradient flow of a phase field where the time step is large.

Akande, Dondl, Gupta, Onwunta and Wojtowytsch (2025): convex-concave splitting falls
whatever the time step; momentum leads to faster convergence "if the time step size is
large but not too large", among others where graphs are classified from a few labels.
Known by its abstract. Reduced: six graphs of up to 400 nodes, every twentieth label.
"""

import functools

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_least, at_most, fresh, ours, proved, reported, tuned
from banach.kinds.smooth.phase_field import ginzburg_landau
from banach.methods.composite.momentum_ginzburg_landau import MomentumGinzburgLandau
from banach.zoo import datasets

STEPS = list(10.0 ** np.arange(-2, 3.5, 0.5))
FLOW = {"momentum": 0.0, "restart": False}


def moons(seed, n=400):
    """Two half circles with noise, in random order."""
    rng = np.random.default_rng(seed)
    side, t = rng.random(n) < 0.5, np.pi * rng.random(n)
    A = np.where(side, [np.cos(t), np.sin(t)], [1 - np.cos(t), 0.5 - np.sin(t)]).T
    return A + 0.15 * rng.standard_normal((n, 2)), side


@functools.cache
def graphs():
    """Rows, classes and the energy whose labels are every twentieth of them."""
    A, y = datasets.digits()
    cancer = instances.tables()["breast_cancer"]
    tables = {"breast_cancer": (cancer[0][:400], cancer[1][:400] == 1)}
    for a, b in ((3, 8), (4, 9), (1, 7)):
        mine = (y == a) | (y == b)
        tables[f"digits {a} and {b}"] = A[mine] / 16, y[mine] == b
    tables |= {"moons": moons(0), "fresh": moons(fresh())}
    found = {}
    for name, (rows, side) in tables.items():
        true = np.where(side, 1.0, -1.0)
        known = np.where(np.arange(len(true)) % 20 == 0, true, 0)
        found[name] = rows, true, ginzburg_landau(rows, known)
    return found


def split(problem, t, **how):
    """The method with the Hessian at u = 1 for its convex part, time step t."""
    return MomentumGinzburgLandau(t, problem.hess(np.ones(problem.size())), 0.0, **how)


def end(problem, t, **how):
    """Its run to ||grad E|| <= 1e-5 of that where it begins."""
    method = split(problem, t, **how)
    return runs.until(problem, method, runs.gradient_norm, 1e-5, 3000)


@functools.cache
def best(name, restart):
    """(time step, steps) with momentum, over the grid."""
    problem = graphs()[name][2]

    def price(t):
        return end(problem, t, restart=restart).price("steps")

    return tuned(STEPS, price)


@proved("Akande et al. 2025 (convex-concave splitting; Eyre 1998)", at_most(1e-12))
def falls():
    """E(u+) - E(u) + ||d||^2 / t + d'Q d / 2 over E(u_0), d = u+ - u, 100 steps.

    Without momentum, for time steps of 0.01, 1 and 1000: the largest.
    """
    found = {}
    for name, (_, _, problem) in graphs().items():
        Q = problem.hess(np.ones(problem.size()))
        for t in (1e-2, 1.0, 1e3):
            method = split(problem, t, **FLOW)
            rows = runs.trace(problem, method, 100, E=runs.objective, u=runs.where)
            d, E = np.diff(rows["u"], axis=0), rows["E"]
            paid = np.sum(d**2, axis=1) / t + np.einsum("ki,ij,kj->k", d, Q, d) / 2
            found[f"{name}, {t:g}"] = np.max(np.diff(E) + paid) / E[0]
    return found


@reported("Akande et al. 2025, abstract", at_most(1, "mean"))
def momentum():
    """Steps to 1e-5 of the first ||grad E|| over the gradient flow's, b = n / (n + 3).

    Both with the time step that is best for momentum; no restart.
    """
    found = {}
    for name, (_, _, problem) in graphs().items():
        t, steps = best(name, False)
        found[name] = steps / end(problem, t, **FLOW).price("steps")
    return found


@ours("a user's question", at_most(0.6, "mean"))
def restarted():
    """The same with restarts, over the flow with its own best time step."""
    found = {}
    for name, (_, _, problem) in graphs().items():
        flow = [end(problem, t, **FLOW).price("steps") for t in STEPS]
        found[name] = best(name, True)[1] / min(flow)
    return found


@ours("a user's question", at_most(1 + 1e-6))
def energy():
    """The energy that momentum ends at, over the flow's at the same time step, 1."""
    found = {}
    for name, (_, _, problem) in graphs().items():
        mine, flow = (end(problem, 1.0, **how).x for how in ({}, FLOW))
        found[name] = float(problem.value(mine) / problem.value(flow))
    return found


@ours("a user's question", at_least(1, "mean"))
def accuracy():
    """Unlabelled nodes that are right, over label spreading's on the same graph.

    The peer is Zhou et al. (2004), alpha = 0.99.
    """
    found = {}
    for name, (_, true, problem) in graphs().items():
        L, known = problem.args
        theirs = np.linalg.solve(0.01 * np.eye(len(L)) + 0.99 * L, known)
        mine, rest = end(problem, 1.0).x, known == 0
        right = [np.mean(np.sign(u[rest]) == true[rest]) for u in (mine, theirs)]
        found[name] = right[0] / right[1]
    return found
