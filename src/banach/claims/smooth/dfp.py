"""DFP with exact searches is BFGS; with loose ones it is slower.

Reduced: at most 40 unknowns. Powell's quadratic of two variables, ||x||^2 / 2 from a
matrix with eigenvalues 1 and lam and with unit steps, is written from his abstract; the
starts are ours.
"""

import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.course import at_least, at_most, fresh, ours, proved, reported
from banach.claims.smooth import _instances, _states
from banach.kinds.smooth.problem import Smooth
from banach.methods.smooth._inverse_matrix import Inverse
from banach.methods.smooth.bfgs import Bfgs, BfgsDirection
from banach.methods.smooth.dfp import Dfp, DfpDirection
from banach.parts.line_search_methods import Fixed, Searched


@proved("Fletcher and Powell 1963", at_most(1e-5))
def termination():
    """||g|| after n steps over its first value, exact searches on a quadratic."""
    return _states.termination(DfpDirection())


@proved("Dixon 1972", at_most(1e-5))
def same_as_bfgs():
    """The largest distance of an iterate from that of BFGS, relative."""
    mine, theirs = (
        {k: v.x for k, (v, _) in _states.exact(d).items()}
        for d in (DfpDirection(), BfgsDirection())
    )
    return {k: np.abs(mine[k] - x).max() / np.abs(x).max() for k, x in theirs.items()}


def short(direction):
    """The direction from H = diag(1, 1 / lam), not scaled by the first step."""

    class From(direction):
        lam: float = 1.0

        def init(self, g):
            H = jnp.diag(jnp.stack([jnp.ones_like(g[0]), 1 / self.lam]))
            return Inverse(H, jnp.asarray(False))

    return lambda lam: Searched(From(lam=np.float64(lam)), Fixed(1.0))


@reported("Powell 1986, abstract", at_least(1.0))
def unit_steps():
    """Steps over those of BFGS until ||x|| fell to a tenth, unit steps, f quadratic."""
    dfp, bfgs = short(DfpDirection), short(BfgsDirection)
    angle = np.random.default_rng(fresh()).uniform(0.1, 1.4)
    cases = {f"lam = {v:g}": (v, np.pi / 4) for v in (10, 100, 1e3, 1e4)}
    found = {}
    for name, (lam, a) in {**cases, "fresh": (300.0, angle)}.items():
        start = np.array([np.cos(a), np.sin(a)])
        problem = Smooth(half_square, start)
        steps = [
            runs.until(problem, made(lam), runs.gradient_norm, 0.1, 100_000)
            for made in (dfp, bfgs)
        ]
        found[name] = steps[0].price("steps") / steps[1].price("steps")
    return found


def half_square(x):
    """||x||^2 / 2."""
    return x @ x / 2


@reported("Nocedal and Wright 2006, section 6.1", at_least(1.0, "mean"))
def inexact():
    """Evaluations over those of BFGS, both with BFGS's loose search."""
    bfgs, dfp = {"bfgs": lambda p: Bfgs(0.9)}, {"dfp": lambda p: Dfp(0.9)}
    table = _instances.gradients(_instances.DENSE, bfgs, dfp, {})
    return runs.ratios(table, "dfp", "bfgs")


@ours("a user's question", at_most(1.5, "mean"))
def default():
    """Evaluations over those of BFGS, each with its own default search."""
    methods = {"dfp": lambda p: Dfp(0.1), "bfgs": lambda p: Bfgs(0.9)}
    table = _instances.gradients(_instances.DENSE, methods, {}, {})
    return runs.ratios(table, "dfp", "bfgs")
