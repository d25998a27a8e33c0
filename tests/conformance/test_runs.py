"""Layer A: what every method must do on every problem that it applies to.

By NumPy, so that nothing is compiled: what XLA makes of the same programs is asked in
`test_compiled.py` (B and C), of one pair for many. The few pairs that NumPy refuses are
listed, with the reason, and run by the fused kernel.
"""

import jax
import numpy as np
import pytest
from laws import EXACT, a_bound_holds, made, nan_is_reported, resume_is_exact
from ledger import NOT_INTERPRETED, proved
from listing import one_a_kind, pairs
from programs_of import bits, flat, unstacked


def test_numpy_runs_it_or_is_known_not_to(case):
    """Compared with a committed list, which cannot grow, or be outlived, unseen."""
    assert case.refused == NOT_INTERPRETED.get((case.name, case.bed.name))


def test_the_verdict_is_true(case):
    """A certified bound holds against the known answer; nothing else says optimal."""
    r = case.full
    assert r.manifest["schedule"]["legs"] == [[case.tier, 0]]
    assert r.status in ("certified", "budget", "stalled")
    a_bound_holds(case, r)
    # Whatever it ended with, it came closer than the start.
    assert case.bed.error(r.x) < 0.1 * case.bed.error(case.problem.start().x)


def test_new_values_make_no_program(case):
    full = case.full
    # A run that ends by its budget looks at its best point once more; a fast method
    # may be done after three steps.
    for steps in (1, 3):
        case.solve(max_steps=steps)
    before = made()
    fresh = case.solve(case.bed.moved(1.03), seed=5, max_steps=3)
    assert made() == before
    assert bits(fresh.x) != bits(full.x)


def test_resume_is_exact(case, tmp_path):
    resume_is_exact(case, case.full, tmp_path)


def test_nan_is_reported_and_never_certified(case):
    nan_is_reported(case, case.full, case.tier)


def test_declared_oracle_costs_are_the_counted_ones(case):
    c = case.counted
    card = case.method.card
    if card.cost is None:
        said = {k: int(v) for k, v in case.method.calls(c.state).items()}
    else:
        init = card.init_cost or {}
        said = {
            k: init.get(k, 0) + card.cost.get(k, 0) * len(jax.tree.leaves(c.xs)[0])
            for k in {*card.cost, *init}
        }
    assert {k: v for k, v in said.items() if v} == dict(c.run)


def test_the_declared_rate_holds(case):
    card = case.method.card
    constants = case.bed.constants(case.counted.start)
    if card.rate is None or constants is None:
        pytest.skip("no rate is declared for this problem")
    measure = case.bed.measures[card.rate_of]
    rows = unstacked(case.counted.xs)
    if card.rate_of.startswith("least "):
        rows = [case.counted.first, *rows]
    values = np.array([measure(jax.tree.map(np.asarray, x)) for x in rows])
    if card.rate_of.startswith("least "):
        values = np.minimum.accumulate(values)[1:]
    bounds = np.array([card.rate(constants, t) for t in range(1, len(values) + 1)])
    assert np.all(values <= bounds + EXACT * case.bed.error(case.counted.start))


def test_the_iterates_are_those_of_bare_steps(case):
    """A run takes the same steps as the method by itself."""
    if case.method.card.random:
        pytest.skip("the two draw from different keys")
    r = case.solve(max_steps=3)
    xs = [np.asarray(v)[r.steps - 1] for v in jax.tree.leaves(case.counted.xs)]
    carried = case.method.point(r.carry.state).x
    np.testing.assert_allclose(
        flat(carried), np.concatenate([np.ravel(v) for v in xs]), rtol=1e-9, atol=1e-12
    )


def test_what_xla_makes_of_it_is_proved(case, tmp_path):
    """Layers B and C, unless the ledger says that these very programs have passed it.

    Some pairs pass it whatever the ledger says: test_compiled.py.
    """
    if (case.name, case.bed.name) not in one_a_kind():
        proved(case, tmp_path)


def test_what_is_listed_as_refused_exists():
    assert set(NOT_INTERPRETED) <= set(pairs())
    assert all(len(reason) > 8 for reason in NOT_INTERPRETED.values())
