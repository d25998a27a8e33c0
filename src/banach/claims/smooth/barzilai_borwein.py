"""Barzilai-Borwein steps are far fewer than those of steepest descent.

Raydan sees fewer line searches and gradients than in conjugate gradients. Seen: fewer
searches; gradients are saved at moderate conditions. Reduced: at most 650 unknowns.
"""

from banach.claims import instances, runs
from banach.claims.course import at_most, reported
from banach.claims.smooth import _instances, _states
from banach.methods.smooth import barzilai_borwein as bb
from banach.methods.smooth.polak_ribiere import PolakRibiere
from banach.parts.line_search_methods import Fixed, Searched, Steepest

NAMES, SMALL = _instances.LARGE, runs.gradient_norm


@reported("Barzilai and Borwein 1988", at_most(1.0))
def steepest():
    """Steps until g fell by 1e-10 over those of steepest descent, exact searches."""
    always = Searched(bb.BarzilaiBorweinDirection(), Fixed(1.0))
    exact = Searched(Steepest(), _states.Exact())
    methods = {"bb": lambda p: always, "steepest": lambda p: exact}
    table = runs.prices(instances.bowls(50, 1e3), methods, SMALL, 1e-10, 10**5, "steps")
    return runs.ratios(table, "bb", "steepest")


@reported("Raydan 1997, abstract", at_most(1.0, "mean"))
def gradients():
    """Gradients until ||g|| fell by 1e-6, his tolerance, over those of SciPy's PR+."""
    return _instances.over(NAMES, bb.BarzilaiBorwein(10), "CG", target=1e-6)


@reported("Raydan 1997, abstract", at_most(1.0, "mean"))
def searches():
    """Steps that were halved, at most, over the searches of Polak-Ribiere-plus."""
    found, methods = {}, (bb.BarzilaiBorwein(10), PolakRibiere(0.1))
    for name, problem in _instances.functions(*NAMES).items():
        ours, cg = (runs.until(problem, m, SMALL, 1e-6, 20_000) for m in methods)
        found[name] = (ours.price("value") - ours.steps - 1) / cg.steps
    return found
