"""Halpern's last residual falls like 1 / k, and no faster in the worst case.

Lieder (2021), for a nonexpansive T: ||x_k - T x_k|| / 2 <= R / (k + 1), which some T
attains; with T = J_s(z - s F(z)), s = 2 beta, that is the residual of an inclusion with
a beta-cocoercive F, as Diakonikolas (2020) uses it. Reduced: nothing.
"""

import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, between, ours, proved
from banach.claims.minimax import _instances as instances
from banach.kinds.inclusion.problem import Inclusion
from banach.methods.minimax.halpern import Halpern

STEPS = 2000


def shift(problem, point):
    """||z - J_s(z - s F(z))|| with s = 2 beta."""
    beta = problem.facts().get("cocoercive")
    after = instances.ForwardBackward(2 * beta).step(problem, point.x, None)
    return jnp.linalg.norm(point.x - after)


def problems():
    """Rotations, and inequalities over boxes whose operator is cocoercive."""
    turns, boxes = (
        instances.drawn(instances.rotations),
        instances.drawn(instances.boxed, bend=0.1),
    )
    return {f"rotations, {k}": p for k, p in turns.items()} | {
        f"box, {k}": p for k, p in boxes.items()
    }


@proved("Lieder 2021, theorem 2.1", at_most(1.0))
def rate():
    """||z - J(z - s F(z))|| / 2 over R / (k + 1), the largest of 2,000 steps."""
    worst, curves = {}, {}
    k = np.arange(STEPS + 1)
    for name, problem in problems().items():
        method = runs.suggested(Halpern, problem)
        size = runs.trace(problem, method, STEPS, r=shift)["r"] / 2
        radius = np.linalg.norm(problem.z0 - problem.reference)
        worst[name] = np.max(size * (k + 1) / radius)
        if "seed 0" in name:
            mean = instances.ForwardBackward(method.step_size / 2)
            plain = runs.trace(problem, mean, STEPS, r=shift)["r"] / 2
            lines = {"Halpern": size, "averaged": plain, "bound": radius / (k + 1)}
            curves[name] = {label: (k, line) for label, line in lines.items()}
    return Seen(worst, curves, ("steps", "residual"))


@proved("Lieder 2021, theorem 2.1 (tight)", between(1 - 1e-12, 1 + 1e-12))
def attained():
    """The same after k steps on F(z) = z, but no longer than 1 / (k + 1), from 1."""

    def clipped(z, width):
        return jnp.clip(z, -width, width)

    found = {}
    for k in (1, 3, 10, 40, 100):
        kink = np.array([[1 / (k + 1)]])
        problem = Inclusion(clipped, np.ones(1), kink, cocoercive=1.0)
        rows = runs.trace(problem, Halpern(2.0), k, r=shift)
        found[f"k = {k}"] = rows["r"][-1] / 2 * (k + 1)
    return found


@ours("a user's question", at_most(1.0))
def averaging():
    """Residual over that of averaged steps (s = beta, no anchor) after 2,000 steps."""
    found = {}
    for name, problem in problems().items():
        method = runs.suggested(Halpern, problem)
        mean = instances.ForwardBackward(method.step_size / 2)
        last = [
            runs.trace(problem, m, STEPS, every=STEPS, r=shift)["r"][-1]
            for m in (method, mean)
        ]
        found[name] = last[0] / last[1]
    return found
