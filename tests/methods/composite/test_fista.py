"""FISTA: its reference, its rate, and what the restart is for."""

import lasso_case as case
import numpy as np
from drive import iterates
from reference import fista as reference

from banach.core.method import Refusal
from banach.methods.composite.fista import Fista


def gaps(xs):
    return np.array([case.objective(x) for x in xs]) - case.objective(case.SOLUTION)


def test_iterates_equal_the_reference():
    for restart in (False, True):
        ours, _ = iterates(case.problem(), Fista(case.L, restart), 40)
        theirs = reference.iterates(
            case.ORACLES, case.X0, 40, lipschitz=case.L, restart=restart
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_the_rate_holds_at_every_iterate():
    xs, _ = iterates(case.problem(), Fista(case.L, restart=False), 300)
    bound = [Fista.card.rate(case.CONSTANTS, t) for t in range(1, 301)]
    assert np.all(gaps(xs) <= np.array(bound) + 1e-12)
    # The bound is not slack by orders of magnitude at the start.
    assert gaps(xs)[0] > 1e-3 * bound[0]


def test_the_restart_makes_the_tail_linear():
    plain = gaps(iterates(case.problem(), Fista(case.L, restart=False), 200)[0])
    again = gaps(iterates(case.problem(), Fista(case.L, restart=True), 200)[0])
    assert again[-1] < 1e-3 * plain[-1]
    assert again[-1] < 1e-12 * again[0]


def test_it_stops_moving_at_the_solution():
    xs, state = iterates(case.problem(), Fista(case.L), 3000)
    np.testing.assert_allclose(xs[-1], case.SOLUTION, atol=1e-13)
    assert bool(state.stuck)
    assert np.array_equal(xs[-1] == 0, case.SOLUTION == 0)


def test_without_L_it_refuses_with_the_cure():
    problem = case.problem(declared=False)
    out = Fista.suggest(problem, problem.facts())
    assert isinstance(out, Refusal)
    assert out.missing == "L" and "proximal_gradient" in out.cure
