"""DCDM: its safeguards."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference._linear import DENSE, A, B

from banach.claims import runs
from banach.core.method import Refusal
from banach.methods.linear.conjugate_gradient import ConjugateGradient
from banach.methods.linear.deep_conjugate_direction import DeepConjugateDirection
from banach.parts.preconditioners import Plain

PROBLEM, _ = DENSE
WRONG = {"uphill": lambda r: -r, "zero": lambda r: 0 * r, "nan": lambda r: jnp.nan * r}


def chosen(r, apart, which):
    """One program for all of them."""
    return jax.lax.switch(which, list(WRONG.values()), r)


def test_the_residual_as_direction_is_conjugate_gradients():
    """Kaneda et al.: with f the identity and two directions it is CG."""
    methods = DeepConjugateDirection(lambda r, apart: r), ConjugateGradient(Plain())
    xs = [runs.trace(PROBLEM, m, 8, x=runs.where)["x"] for m in methods]
    np.testing.assert_allclose(*xs, rtol=0, atol=1e-9 * np.abs(xs[1][-1]).max())


@pytest.mark.parametrize("which", range(3), ids=list(WRONG))
def test_a_useless_direction_falls_back_on_the_residual(which):
    method = DeepConjugateDirection(jax.tree_util.Partial(chosen, which=which))
    rows = runs.trace(PROBLEM, method, 12, x=runs.where)
    e = rows["x"] - np.linalg.solve(A, B)
    falls = np.einsum("ti,ij,tj->t", e, A, e)
    assert rows["matvec"][-1] == 24
    assert np.all(np.diff(falls) <= 0) and falls[-1] < 1e-12 * falls[0]


def test_without_a_grid_it_asks_for_a_network():
    no = DeepConjugateDirection.suggest(PROBLEM, None)
    assert isinstance(no, Refusal) and "network=" in no.cure
