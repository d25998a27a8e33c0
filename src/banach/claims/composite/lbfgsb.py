"""As good as the authors' code, from a Cauchy point that is exact.

Byrd, Lu, Nocedal and Zhu (1995) prove no rate. What they define is held to its
definition: the Cauchy point is the first local minimiser of the model along the
projected gradient. Their code (Zhu et al. 1997, in SciPy) is the measure of the rest;
its search also asks for curvature. Left out: their tables on CUTE.
"""

import jax
import numpy as np

from banach.claims import runs
from banach.claims.composite import _boxes
from banach.claims.course import at_most, ours, proved
from banach.methods.composite.lbfgsb import Lbfgsb, _cauchy, _model


@proved("Byrd, Lu, Nocedal and Zhu 1995, section 4", at_most(1e-9))
def cauchy_point():
    """m(x_c) above m at 4,000 earlier points of the path, or m' < 0 beyond; over m's.

    At each of 12 steps; m by the dense matrix.
    """
    found, of, cauchy = {}, jax.jit(_model), jax.jit(_cauchy)
    for name, problem in _boxes.problems().items():
        run = runs.states(Lbfgsb(memory=5), problem, 12)
        found[name] = 0.0
        for k in range(12):
            state = type(run)(
                run.x[k], run.f[k], run.g[k], tuple(v[k] for v in run.sides),
                run.S[k], run.Y[k], run.held[k], run.trials[k], run.stuck[k],
            )  # fmt: skip
            model, (low, high), x, g = of(state), state.sides, state.x, state.g
            theta, W, M = map(np.asarray, model)
            B = theta * np.eye(x.size) - W @ M @ W.T
            c = np.asarray(cauchy(model, x, g, low, high)[0])
            moving = (g != 0) & (c > low) & (c < high)
            ends = np.where(g == 0, 0, (x - c) / np.where(g == 0, 1, g))
            steepest = np.argmax(np.where(moving, abs(g), 0))
            t = ends[steepest] if moving.any() else np.max(ends)

            def along(at, x=x, g=g, B=B, low=low, high=high):
                z = np.clip(x - np.outer(at, g), low, high) - x
                return z @ g + np.sum((z @ B) * z, axis=1) / 2

            before, least = along(np.linspace(0, t, 4000)), along([t])[0]
            after = along([t * (1 + 1e-4)])[0]
            excess = max(least - before.min(), least - after)
            # Below the rounding of x, squared, no model is seen.
            if abs(least) > 1e-24:
                found[name] = max(found[name], excess / abs(least))
    return found


@ours("evaluations, against the authors' code in SciPy", at_most(1.25, "mean"))
def evaluations():
    """Gradients until ||x - P(x - g)|| is 1e-6 of the first, over those of SciPy's."""
    found = {}
    for name, problem in _boxes.problems().items():
        own = runs.until(problem, Lbfgsb(), _boxes.movement, 1e-6, 2000).price("grad")
        options = {"ftol": 0, "gtol": 0, "maxcor": 10}
        theirs = runs.scipy("L-BFGS-B", problem, **options)
        found[name] = own / runs.peer(theirs, problem, _boxes.movement, 1e-6, "grad")
    return found


@ours("memory", at_most(1.0, "mean"))
def memory():
    """Gradients to 1e-6 of the first movement with 10 pairs, over those with 3."""
    table = runs.prices(
        _boxes.problems(),
        {k: lambda _, k=k: Lbfgsb(memory=k) for k in (3, 10)},
        _boxes.movement, 1e-6, 2000, "grad",
    )  # fmt: skip
    return runs.ratios(table, 10, 3)
