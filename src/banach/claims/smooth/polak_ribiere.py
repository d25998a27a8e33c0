"""Polak-Ribiere-plus converges for any f, and ends on a quadratic in n steps.

Reduced: at most 650 unknowns. With exact searches on a quadratic every beta of the
family is that of linear conjugate gradients. The baseline of Gilbert and Nocedal,
Fletcher and Reeves's beta, has the better of two searches on each function: ours, and
one so strict above that it always descends.
"""

import jax.numpy as jnp

from banach.claims import runs
from banach.claims.course import at_least, at_most, ours, proved, reported
from banach.claims.smooth import _instances, _states
from banach.core import tree
from banach.methods.smooth._conjugate import ConjugateDirection
from banach.methods.smooth.polak_ribiere import PolakRibiere, PolakRibiereDirection
from banach.parts.line_search_methods import Searched, Wolfe

NAMES = _instances.LARGE


class FletcherReeves(ConjugateDirection):
    """beta = g+.g+ / g.g."""

    def beta(self, y, g, before):
        """How much of the old direction stays."""
        old = tree.vdot(before.g, before.g)
        return tree.vdot(g, g) / jnp.where(old > 0, old, 1)


@proved("Nocedal and Wright 2006, theorem 5.3", at_most(1e-5))
def termination():
    """||g|| after n steps over its first value, exact searches on a quadratic."""
    return _states.termination(PolakRibiereDirection())


@proved("Gilbert and Nocedal 1992, sufficient descent", at_least(0.01))
def descent():
    """-g.d / ||g||^2, the least of 500 steps, by a good search and by a poor one."""
    return _instances.descent(PolakRibiere(0.1), PolakRibiere(0.9))


@reported("Gilbert and Nocedal 1992, global convergence", at_most(1e-8))
def convergence():
    """||g|| over its first value at the end of at most 20,000 steps: its limit is 0."""
    method, small = PolakRibiere(0.1), runs.gradient_norm
    return {
        name: runs.until(problem, method, small, 1e-8, 20_000).ratio
        for name, problem in _instances.functions(*NAMES).items()
    }


@reported("Gilbert and Nocedal 1992, numerical results", at_most(1.0, "mean"))
def fewer():
    """Evaluations until ||g|| fell by 1e-8 over those of Fletcher and Reeves."""
    strict = (Searched(FletcherReeves(), Wolfe(v, v)) for v in (0.1, 0.3))
    return _instances.over(NAMES, PolakRibiere(0.1), *strict)


@ours("a user's question", at_most(1.2, "mean"))
def scipy():
    """Evaluations over those of SciPy's CG, the same method by other hands."""
    return _instances.over(NAMES, PolakRibiere(0.1), "CG")
