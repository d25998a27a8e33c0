"""Extragradient comes closer to every solution where gradient steps spiral out.

Korpelevich (1976): for monotone L-Lipschitz F over a convex set and s < 1/L,
||z+ - z*||^2 <= ||z - z*||^2 - (1 - s^2 L^2) ||z - v||^2 at every step. Reduced:
nothing. The paper was at hand only through later accounts of it, so that no number of a
theorem is given.
"""

import numpy as np

from banach.claims import runs
from banach.claims.course import Seen, at_most, ours, proved
from banach.claims.minimax import _instances as instances
from banach.methods.minimax.extragradient import Extragradient

STEPS = 2000


def problems():
    """Games, quadratic programs and inequalities over boxes: problem and method."""
    made = instances.families(
        game=instances.bilinear, program=instances.program, box=instances.boxed
    )
    return {k: (p, runs.suggested(Extragradient, p)) for k, p in made.items()}


@proved("Korpelevich 1976", at_most(1e-12))
def closer():
    """How far a step stays behind the fall of ||z - z*||^2, over ||z0 - z*||^2."""
    return {
        name: instances.fejer(*pair, STEPS, 0.5**0.5)
        for name, pair in problems().items()
    }


@proved("Korpelevich 1976, the inequality summed over the steps", at_most(1.0))
def rate():
    """Least residual so far over 2 L R / sqrt(k + 1), the largest of 2,000 steps."""
    worst, curves = {}, {}
    for name, (problem, method) in problems().items():
        radius = np.linalg.norm(problem.z0 - problem.reference)
        scale = 2 * float(problem.facts().L) * radius
        bound = scale / np.sqrt(np.arange(STEPS + 1) + 1)
        plain = instances.ForwardBackward(method.step_size)
        size, lost = (
            runs.trace(problem, m, STEPS, r=instances.residual)["r"]
            for m in (method, plain)
        )
        worst[name] = np.max(np.minimum.accumulate(size) / bound)
        if "seed 0" in name:
            lines = {"extragradient": size, "gradient steps": lost, "bound": bound}
            curves[name] = {m: line[:101] for m, line in lines.items()}
    return Seen(worst, curves, ("steps", "residual"))


@ours("the sum over the planes of a game", at_most(1.0))
def steps_needed():
    """Steps to 1e-3 of the residual over 8 log(1000) / sigma^2, sigma from 0.05 to 1.

    sigma is the least singular value of the game (the largest is 1).
    """
    found = {}
    for sigma in (1.0, 0.5, 0.2, 0.1, 0.05):
        problem = instances.bilinear(np.random.default_rng(0), least=sigma)
        method = runs.suggested(Extragradient, problem)
        run = runs.until(problem, method, instances.residual, 1e-3, 100_000)
        found[f"sigma {sigma}"] = run.price("steps") * sigma**2 / (8 * np.log(1e3))
    return found
