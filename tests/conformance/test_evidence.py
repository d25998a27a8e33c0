"""The comparison and the mutations find what they are for."""

import inspect
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from evidence import TOLERANCE, Evidence, executed, literals, seen
from reference._case import Case, boxed
from specimens.damped import Damped
from specimens.golden_ratio import GoldenRatio

from banach.kinds.least_squares.problem import NonlinearLeastSquares


def golden_iterates(oracles, z0, steps, *, phi, first):
    z = mean = z0
    old, size, theta, out = z0 + first * oracles.operator(z0), first, 1.0, []
    for _ in range(steps):
        F, before = oracles.operator(z), oracles.operator(old)
        local = np.sum((z - old) ** 2) / np.sum((F - before) ** 2)
        longest = (phi + 1) / phi**2 * size
        after = min(longest, phi * theta / (4 * size) * local)
        mean = ((phi - 1) * z + mean) / phi
        old, z = z, oracles.resolvent(mean - after * F, after)
        theta, size = phi * after / size, after
        out.append(z)
    return out


def damped_iterates(oracles, x0, steps, *, first, accept):
    x, m, rise, out = x0, first, 2.0, []
    for _ in range(steps):
        r, J = oracles.residual(x), oracles.jacobian(x)
        h = np.linalg.solve(J.T @ J + m * np.eye(x.size), -J.T @ r)
        new, model = oracles.residual(x + h), r + J @ h
        rho = (r @ r - new @ new) / (r @ r - model @ model)
        if rho > accept:
            x, m, rise = x + h, m * max(1 / 3, 1 - (2 * rho - 1) ** 3), 2.0
        else:
            m, rise = m * rise, 2 * rise
        out.append(x)
    return out


def valley(x0):
    """Rosenbrock's two residuals: (problem, oracles)."""
    problem = NonlinearLeastSquares(
        lambda x: jnp.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]]), np.array(x0)
    )
    return problem, SimpleNamespace(
        residual=lambda x: np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]),
        jacobian=lambda x: np.array([[-20 * x[0], 10.0], [-1.0, 0.0]]),
    )


GOLDEN = SimpleNamespace(
    iterates=golden_iterates,
    CASES=[
        Case(*boxed(), told={"phi": 1.5, "first": 0.05}, steps=15),
        Case(*boxed(), given={"phi": 1.6, "first": 0.3}, steps=15),
    ],
)
DAMPED = SimpleNamespace(
    iterates=damped_iterates,
    CASES=[
        Case(*valley([-1.2, 1.0]), told={"first": 0.5, "accept": 0.25}, steps=15),
        Case(*valley([-1.2, 1.0]), given={"first": 1e-3, "accept": 0.3}, steps=15),
    ],
)
# One wrong constant or rule each, as a reader might write it.
WRONG = [
    (GoldenRatio, GOLDEN, "theta = phi * after / size", "theta = after / size"),
    (GoldenRatio, GOLDEN, "theta = phi * after / size", "theta = 1.0 + 0 * after"),
    (GoldenRatio, GOLDEN, "real(1.5, below", "real(1.505, below"),
    (Damped, DAMPED, "(2 * rho - 1) ** 3", "(2 * rho - 1) ** 2"),
    (Damped, DAMPED, "m * state.rise)", "m * 2.0)"),
    (Damped, DAMPED, "jnp.maximum(1 / 3,", "jnp.maximum(1 / 4,"),
    (Damped, DAMPED, "rho > self.accept", "rho > 0.02"),
]


@pytest.mark.parametrize(
    ("cls", "reference"), [(GoldenRatio, GOLDEN), (Damped, DAMPED)]
)
def test_a_right_method_passes_and_every_constant_is_felt(cls, reference):
    evidence = Evidence(cls, reference)
    assert max(evidence.differences()) <= TOLERANCE
    assert evidence.unexplained() == ([], [])
    assert len(literals(evidence.source)) >= 2


@pytest.mark.parametrize(("cls", "reference", "right", "wrong"), WRONG)
def test_a_wrong_rule_is_caught(cls, reference, right, wrong):
    source = inspect.getsource(inspect.getmodule(cls))
    assert source.count(right) == 1
    code = compile(source.replace(right, wrong), "wrong", "exec")
    far = Evidence(cls, reference).differences(executed(code, cls.__name__))
    assert max(far) > 1e3 * TOLERANCE


def test_cases_that_do_not_feel_a_constant_are_found_out():
    """Two easy steps refuse nothing: neither the bar nor the rise is felt."""
    short = [Case(*valley([0.9, 0.8]), given={"first": 0.5, "accept": 0.25}, steps=2)]
    weak = SimpleNamespace(iterates=damped_iterates, CASES=short)
    evidence = Evidence(Damped, weak)
    assert max(evidence.differences()) <= TOLERANCE
    texts = " ".join(m.text for m in evidence.unexplained()[0])
    assert "accept" in texts and "rise" in texts and "first: Any" in texts
    # A reason settles each; a reason for what is felt is itself a failure.
    weak.EXEMPT = {m.text: "not tried here" for m in evidence.survivors()}
    assert Evidence(Damped, weak).unexplained() == ([], [])
    weak.EXEMPT |= {"no such line": "stale"}
    assert Evidence(Damped, weak).unexplained() == ([], ["no such line"])


def test_which_literals_are_moved():
    source = '''
@method(name="a", rate=lambda c, t: 0.5 / t)
class A(Method):
    """1.5 in words."""
    a: float = real(0.25, below=0.75, most=2.0, low="positive")

    def step(self):
        return 1 * 3.0 - 1e-3 * len("4.0") + -6.5
'''
    assert [n.value for n, _ in literals(source)] == [0.25, 3.0, 1e-3, 6.5]
    assert [line for _, line in literals(source)][1].startswith("return 1 * 3.0")


def test_a_comparison_has_to_feel_both_ways():
    felt = {1.01: False, 4.0: True, 0.25: False}
    assert not seen(felt.get)
    assert seen((felt | {0.25: True}).get)
    assert seen({1.01: True}.get)
