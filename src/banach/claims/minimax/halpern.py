"""Halpern's last residual falls like 1 / k, and no faster in the worst case.

Lieder (2021), for a nonexpansive T: ||x_k - T x_k|| / 2 <= R / (k + 1), which some T
attains; with T = J_s(z - s F(z)), s = 2 beta, that is the residual of an inclusion with
a beta-cocoercive F, as Diakonikolas (2020) uses it. Reduced: nothing.
"""

import functools

import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, between, ours, proved
from banach.claims.minimax import _instances as instances
from banach.kinds.inclusion.problem import Inclusion
from banach.methods.minimax.halpern import Halpern


def shift(problem, point):
    """||z - J_s(z - s F(z))|| / 2 with s = 2 beta."""
    beta = problem.facts().get("cocoercive")
    after = instances.ForwardBackward(2 * beta).step(problem, point.x, None)
    return jnp.linalg.norm(point.x - after) / 2


@functools.cache
def races():
    """2,000 steps of Halpern, and of averaging (s = beta) without an anchor, over R."""
    found = {}
    bent = functools.partial(instances.boxed, bend=0.1)
    problems = instances.families(rotations=instances.rotations, box=bent)
    for name, problem in problems.items():
        beta = float(problem.facts().get("cocoercive"))
        R = np.linalg.norm(problem.z0 - problem.reference)
        both = Halpern(2 * beta), instances.ForwardBackward(beta)
        found[name] = [runs.trace(problem, m, 2000, r=shift)["r"] / R for m in both]
    return found


@proved("Lieder 2021, theorem 2.1", at_most(1.0))
def rate():
    """||z - J(z - s F(z))|| / 2 over R / (k + 1), the largest of 2,000 steps."""
    k = np.arange(2001)
    worst = {name: np.max(row[0] * (k + 1)) for name, row in races().items()}
    curves = {
        name: {"Halpern": (k, own), "averaged": (k, plain), "bound": (k, 1 / (k + 1))}
        for name, (own, plain) in races().items()
        if "seed 0" in name
    }
    return Seen(worst, curves, ("steps", "residual / R"))


@proved("Lieder 2021, theorem 2.1 (tight)", between(1 - 1e-12, 1 + 1e-12))
def attained():
    """The same after k steps on F(z) = z, but no longer than 1 / (k + 1), from 1."""
    found = {}
    for k in (1, 3, 10, 40, 100):
        kink = np.array([[1 / (k + 1)]])
        problem = Inclusion(
            lambda z, w: jnp.clip(z, -w, w), np.ones(1), kink, cocoercive=1.0
        )
        last = runs.trace(problem, Halpern(2.0), k, r=shift)["r"][-1]
        found[f"k = {k}"] = last * (k + 1)
    return found


@ours("a user's question", at_most(1.0))
def averaging():
    """Residual over that of averaged steps (s = beta, no anchor) after 2,000 steps."""
    return {name: own[-1] / plain[-1] for name, (own, plain) in races().items()}
