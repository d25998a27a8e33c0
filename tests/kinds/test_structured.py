"""f(x) + g(x) + h(K x): what is read, refused and known of it."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_array

import banach as bn
from banach import zoo
from banach.core.method import Refusal, applicable
from banach.kinds.structured.problem import Structured

D, ZERO = np.diff(np.eye(4), axis=0), np.zeros(4)


def square(x):
    return jnp.sum((x - 1.0) ** 2) / 2


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((square, None, bn.L1(1.0), D[:, :3], ZERO), "K is 3 x 3, and x has 4"),
        ((square, None, bn.L1(1.0), D, {"a": ZERO}), "one array"),
        ((square, None, None, D, ZERO), "Structured's h needs a term"),
        ((square, None, bn.GroupL2(1.0, [0, 0]), D, ZERO), "the term h"),
        ((square, bn.GroupL2(1.0, [0, 0]), bn.L1(1.0), D, ZERO), "the term g"),
        ((square, None, bn.L1(1.0), D), "needs x0"),
        ((lambda x: x, None, bn.L1(1.0), D, ZERO), "f"),
        ((square, None, bn.L1(1.0), np.nan * D, ZERO), "K"),
    ],
)
def test_what_does_not_fit_is_refused(given, says):
    with pytest.raises(bn.Misuse, match=says):
        Structured(*given)


def test_declarations_are_tried():
    with pytest.raises(bn.Misuse, match="not affine"):
        Structured(lambda x: jnp.sum(x**4), None, bn.L1(1.0), D, ZERO + 1,
                   quadratic=True)  # fmt: skip
    with pytest.raises(bn.Misuse, match="L belong to a function f"):
        Structured(None, None, bn.L1(1.0), D, ZERO, L=1.0)


@pytest.mark.parametrize("K", [D, csr_array(D), None])
def test_the_norm_is_bounded_and_products_are_adjoint(K):
    p = Structured(square, None, bn.L1(1.0), K, ZERO, convex=True, L=1.0)
    dense = np.eye(4) if K is None else D
    true = np.linalg.norm(dense, 2)
    assert true <= float(p.facts().get("norm")) <= 1.01 * true
    assert true <= float(p.bound())
    x, y = np.arange(4.0) ** 2, np.arange(float(len(dense))) - 0.5
    np.testing.assert_allclose(p.forward(x), dense @ x, rtol=1e-14)
    np.testing.assert_allclose(p.adjoint(y), dense.T @ y, rtol=1e-14)
    assert float(p.objective(x)) == pytest.approx(
        np.sum((x - 1) ** 2) / 2 + np.abs(dense @ x).sum()
    )
    p.validate()


def test_an_image_keeps_its_shape():
    result = bn.solve("structured:inpainting")
    assert result.certified and result.x.shape == (8, 8)
    assert result.x.min() >= 0 and result.x.max() <= 1


def test_total_variation_as_the_taut_string_has_it():
    b = np.array([0.0, 0.4, 3.0, 3.3])
    p = Structured(lambda x: jnp.sum((x - b) ** 2) / 2, None, bn.L1(0.5), D, ZERO,
                   convex=True, L=1.0, reference=ZERO)  # fmt: skip
    want = bn.TotalVariation1D(0.5).prox(b, 1.0)
    np.testing.assert_allclose(bn.solve(p, tol=1e-10).x, want, atol=1e-8)


def test_basis_pursuit_as_a_linear_program_has_it():
    from scipy.optimize import linprog

    p = zoo.load("structured:basis_pursuit")
    A, y = np.asarray(p.K.entries), np.asarray(p.h.lower)
    best = linprog(np.ones(20), A_eq=np.hstack([A, -A]), b_eq=y).fun
    assert np.abs(bn.solve(p).x).sum() == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize(
    "method", "admm chambolle_pock davis_yin douglas_rachford restarted_pdhg".split()
)
def test_every_method_finds_the_same_fused_lasso(method):
    """x by SciPy on the dual, a quadratic over a box."""
    from scipy.optimize import minimize

    p = zoo.load("structured:fused_lasso")
    # |x_i| and |x_i+1 - x_i| as differences of nonnegative parts.
    rows = np.vstack([np.eye(10), np.diff(np.eye(10), axis=0)])
    b = np.asarray(p.f.grad(np.zeros(10)))
    H = np.asarray(p.hess(np.zeros(10)))

    # The dual: min (R'v + b)'H^-1 (R'v + b) / 2 over |v| <= 1/2.
    def dual(v):
        s = np.linalg.solve(H, rows.T @ v + b)
        return (rows.T @ v + b) @ s / 2, rows @ s

    found = minimize(dual, np.zeros(19), jac=True, bounds=[(-0.5, 0.5)] * 19,
                     method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10,
                                                 "maxiter": 10_000})  # fmt: skip
    want = -np.linalg.solve(H, rows.T @ found.x + b)
    r = bn.solve(p, method, tol=1e-8)
    assert r.certified
    np.testing.assert_allclose(r.x, want, atol=1e-4)


def test_a_method_that_ignores_h_is_refused():
    p = zoo.load("structured:fused_lasso")
    card = bn.Fista.card
    said = applicable(card.needs, card.assumes, p, p.facts(), "fista")
    assert isinstance(said, Refusal) and "h(K x)" in str(said)
