"""Layer B: NumPy and XLA make the same steps of a method, on one of its problems."""

import numpy as np
import pytest
from listing import cases, one_a_method
from programs_of import flat

from banach.core import compat
from banach.engine import tiers
from banach.engine.loop import TIERS


def able(case):
    """The executors that can run a case."""
    with compat.double():
        if tiers.apart(case.ready) is not None:
            return TIERS[2:]
    return TIERS if case.tier == "numpy" else TIERS[1:]


@pytest.mark.parametrize("case", cases(one_a_method()), indirect=True, scope="module")
def test_all_executors_make_the_same_three_steps(case):
    """The iterate, and what the check says of it, to rounding."""
    runs = {tier: case.solve(tier=tier, max_steps=3) for tier in able(case)}
    last = runs["fused"]
    x = flat(case.method.point(last.carry.state).x)
    scale = np.abs(x).max()
    for tier, r in runs.items():
        assert r.manifest["schedule"]["legs"] == [[tier, 0]]
        assert (r.steps, r.status, r.calls) == (last.steps, last.status, last.calls)
        at = flat(case.method.point(r.carry.state).x)
        np.testing.assert_allclose(at, x, rtol=0, atol=1e-9 * scale)
        a, b = r.certificate, last.certificate
        assert (a.quantity, a.grade) == (b.quantity, b.grade)
        apart = abs(float(a.value) - float(b.value))
        assert apart <= 1e-9 * float(b.scale) + float(a.slack) + float(b.slack)
