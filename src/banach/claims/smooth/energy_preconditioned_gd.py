"""An energy that falls whatever the step, and quicker than the plain method.

Liu, Nurbekyan, Tian and Yang (2023): the energy law holds for every eta; on badly
conditioned and nonconvex functions fewer steps than preconditioned gradient descent.
Reduced: quadratics over a simplex of 20, the Hessian-Riemannian step of the entropy,
conditions of 1e3; and Rosenbrock's function; steps of both tuned.
"""

import jax
import jax.numpy as jnp
import numpy as np

from banach import zoo
from banach.claims import instances, runs
from banach.claims.course import at_most, proved, reported, tuned
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth.energy_preconditioned_gd import (
    Constant,
    EnergyPreconditionedGd,
    Entropy,
)
from banach.methods.smooth.gradient_descent import GradientDescent

CAP = 40_000


@proved("Liu et al. 2023 (energy law, every eta)", at_most(1e-12))
def law():
    """r+^2 - r^2 + (r+ - r)^2 + ||x+ - x||_A^2 / eta over r_0^2, 100 steps.

    Over r^2 it is the rounding of x that is seen once a large eta has made r tiny.
    """
    found = {}
    for name, problem in instances.logistic().items():
        n = problem.size()
        for eta in (1e-2, 1.0, 1e3):
            for label, A in {"I": None, "A": np.diag(1.0 + np.arange(n))}.items():
                method = EnergyPreconditionedGd(eta, Constant(A), 1.0)
                states = runs.states(method, problem, 100)
                r, move = states.r, np.diff(states.x, axis=0)
                metric = np.eye(n) if A is None else A
                square = np.einsum("ki,ij,kj->k", move, metric, move)
                left = np.diff(r**2) + np.diff(r) ** 2 + square / eta
                found[f"{name}, {eta:g}, {label}"] = np.max(np.abs(left) / r[0] ** 2)
    return found


def onto(x, H, t):
    """1/2 ||x - t||_H^2."""
    return (x - t) @ H @ (x - t) / 2


def simplices():
    """Quadratics of condition 1e3 whose least over the simplex lies inside it."""
    found = {}
    for name, seed in instances.seeds().items():
        rng = np.random.default_rng(seed)
        Q = np.linalg.qr(rng.standard_normal((20, 20)))[0]
        target = rng.dirichlet(np.full(20, 5.0))
        H = (Q * np.logspace(0, 3, 20)) @ Q.T
        found[name] = Smooth(onto, np.full(20, 0.05), (H, target))
    return found


def distance(problem, point):
    """sqrt f, whose least value is 0."""
    return jnp.sqrt(problem.value(point.x))


def energy(problem, eta, metric):
    """Steps of the method to f <= 1e-6 f(x0)."""
    method = EnergyPreconditionedGd(eta, metric, 1.0)
    return runs.until(problem, method, distance, 1e-3, CAP).price("steps")


@jax.jit
def _plain(H, t, eta):
    x = jnp.full(t.size, 1 / t.size)
    aim = 1e-6 * onto(x, H, t)

    def one(carry):
        x, steps = carry
        return x - eta * Entropy(True).solve(x, H @ (x - t)), steps + 1

    def more(c):
        return (c[1] < CAP) & (onto(c[0], H, t) > aim) & jnp.all(c[0] > 0)

    x, steps = jax.lax.while_loop(more, one, (x, 0))
    return jnp.where((onto(x, H, t) <= aim) & jnp.all(x > 0), steps, jnp.inf)


@reported("Liu et al. 2023, experiments (badly conditioned)", at_most(1, "mean"))
def simplex():
    """Steps to f <= 1e-6 f(x0) over a simplex, over the plain method's, both tuned."""
    found, grid = {}, list(2.0 ** np.arange(-10, 4))
    for name, problem in simplices().items():
        ours = tuned(grid, lambda a, p=problem: energy(p, a, Entropy(True)))[1]
        theirs = tuned(grid, lambda a, p=problem: float(_plain(*p.args, a)))[1]
        found[name] = ours / theirs
    return found


@reported("Liu et al. 2023, experiments (Rosenbrock)", at_most(1, "mean"))
def rosenbrock():
    """Steps to f <= 1e-6 f(x0) of Rosenbrock's, over gradient descent's, both tuned."""
    found, grid = {}, list(2.0 ** np.arange(-13, 0, 0.5))
    for name, seed in instances.seeds().items():
        x0 = np.array([-1.2, 1]) + 0.3 * np.random.default_rng(seed).standard_normal(2)
        problem = Smooth(zoo.load("rosenbrock").fun, x0)

        def plain(a, problem=problem):
            method = GradientDescent(a, False)
            return runs.until(problem, method, distance, 1e-3, CAP).price("steps")

        ours = tuned(grid, lambda a, p=problem: energy(p, a, Constant()))[1]
        found[name] = ours / tuned(grid, plain)[1]
    return found
