"""Barzilai-Borwein steps are R-linear on quadratics, far from steepest descent.

Raydan sees fewer line searches than in conjugate gradients, and at times fewer
gradients. Reduced: at most 650 unknowns, his had up to 10,000. Seen: fewer searches,
but gradients are saved only where the condition is moderate.
"""

import functools

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_least, at_most, fresh, proved, reported
from banach.claims.smooth import _instances, _states
from banach.methods.smooth.barzilai_borwein import (
    BarzilaiBorwein,
    BarzilaiBorweinDirection,
)
from banach.methods.smooth.polak_ribiere import PolakRibiere
from banach.parts.line_search_methods import Fixed, Searched, Steepest

CONDITIONS = {0: 10.0, 1: 100.0, 2: 1e3, 3: 1e4}


def bowls():
    """Quadratics of 50 unknowns: name -> (problem, condition)."""
    drawn = CONDITIONS | {fresh(): 300.0}
    return {
        f"condition {c:g}": (instances.bowl(seed, 50, c), c)
        for seed, c in drawn.items()
    }


def bare():
    """The step of Barzilai and Borwein, always taken."""
    return Searched(BarzilaiBorweinDirection(), Fixed(1.0))


@proved("Li and Sun 2021 (arXiv 2101.00205)", at_least(1.0))
def linear():
    """log(||g_k|| / ||g_0||) / (k log(1 - 1 / condition)) where g fell by 1e-10."""
    found = {}
    for name, (problem, condition) in bowls().items():
        end = runs.until(problem, bare(), runs.gradient_norm, 1e-10, 50_000)
        found[name] = np.log(end.ratio) / (end.steps * np.log1p(-1 / condition))
    return found


@reported("Barzilai and Borwein 1988", at_most(1.0))
def steepest():
    """Steps until g fell by 1e-10 over those of steepest descent, exact searches."""
    methods = {
        "ours": lambda p: bare(),
        "steepest": lambda p: Searched(Steepest(), _states.Exact()),
    }
    problems = {k: p for k, (p, _) in bowls().items()}
    small = runs.gradient_norm
    table = runs.prices(problems, methods, small, 1e-10, 200_000, "steps")
    return runs.ratios(table, "ours", "steepest")


@functools.cache
def race():
    """Until ||g|| fell by 1e-6, his tolerance: ours, our PR-plus, SciPy's gradients."""
    found, small = {}, runs.gradient_norm
    for name, problem in _instances.functions(*_instances.LARGE).items():
        methods = BarzilaiBorwein(10), PolakRibiere(0.1)
        ours, cg = (runs.until(problem, m, small, 1e-6, 20_000) for m in methods)
        peer = runs.peer(runs.scipy("CG", problem), problem, small, 1e-6, "grad")
        found[name] = (ours, cg.steps, peer)
    return found


@reported("Raydan 1997, abstract", at_most(1.0, "mean"))
def gradients():
    """Gradients until ||g|| fell by 1e-6 over those of SciPy's PR-plus."""
    return {k: ours.price("grad") / theirs for k, (ours, _, theirs) in race().items()}


@reported("Raydan 1997, abstract", at_most(1.0, "mean"))
def searches():
    """Steps that were halved, at most, over the searches of Polak-Ribiere-plus."""
    return {
        k: (ours.price("value") - ours.steps - 1) / theirs
        for k, (ours, theirs, _) in race().items()
    }
