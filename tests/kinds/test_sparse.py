"""Linear models of a sparse matrix: the dense ones' numbers, never made dense."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from jax.experimental import sparse as jax_sparse
from looks import at_once

import banach as bn
from banach.core import compat, tree
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.estimate import spectrum
from banach.kinds import sparse_input
from banach.kinds.glm import bounds, column_scaling
from banach.kinds.glm.problem import GLM
from banach.parts.sparse import SparseMatrix

RNG = np.random.default_rng(12)
N, P, K = 15, 6, 3


def _matrix(n=N, p=P, share=0.3, seed=1):
    """Unsorted, with an entry in two halves, a stored zero, an empty row and column."""
    g = np.random.default_rng(seed)
    D = np.where(g.random((n, p)) < share, g.normal(size=(n, p)), 0)
    D[2], D[:, 3] = 0, 0
    D[0, 0] = 0.75
    row, column = np.nonzero(D)
    value = D[row, column]
    row, column = np.append(row, [0, 4]), np.append(column, [0, 4])
    value = np.append(value, [0.5, 0.0])
    value[(row[:-2] == 0).argmax()] -= 0.5
    order = g.permutation(len(row))
    S = sp.coo_array((value[order], (row[order], column[order])), (n, p))
    assert np.array_equal(S.toarray(), D)
    return S, D


S, D = _matrix()
WEIGHT, OFFSET = RNG.uniform(0.5, 2, N), 0.3 * RNG.normal(size=N)
TARGETS = {
    "LeastSquares": RNG.normal(size=N),
    "Huber": RNG.normal(size=N),
    "Logistic": np.arange(N) % 2,
    "SquaredHinge": np.arange(N) % 2,
    "Poisson": RNG.poisson(2.0, size=N),
    "Softmax": np.arange(N) % K,
}
LOSSES = {
    "LeastSquares": bn.SquaredLoss(),
    "Huber": bn.HuberLoss(0.7),
    "Logistic": bn.LogisticLoss(),
    "SquaredHinge": bn.SquaredHingeLoss(),
    "Poisson": bn.PoissonLoss(),
    "Softmax": bn.SoftmaxLoss(K),
}
each = pytest.mark.parametrize("loss", LOSSES)


def _pair(loss, term, **more):
    """The same model of the sparse and of the dense matrix."""
    given = LOSSES[loss], term
    return [GLM(A, TARGETS[loss], *given, **more) for A in (S, D)]


def _rich(loss):
    offset = None if loss == "Softmax" else OFFSET
    lam = 0.7 if loss == "Softmax" else np.linspace(0.2, 0.9, P)
    more = {"intercept": True, "sample_weight": WEIGHT, "offset": offset}
    return _pair(loss, bn.SquaredL2(lam), **more)


def _close(a, b, rtol=1e-12):
    return np.allclose(a, b, rtol=rtol, atol=rtol * (1 + np.max(np.abs(b))))


@each
def test_oracles_are_those_of_the_dense_model(loss):
    sparse, dense = _rich(loss)
    assert isinstance(sparse.A, SparseMatrix)
    x, v = (RNG.normal(size=sparse.space().shape) for _ in range(2))

    def all_of(problem):
        th = problem.linear(x)
        return (
            *problem.value_and_grad(x), problem.hvp(x, v), problem.hess(x), th,
            problem.adjoint(th), problem.companion(x), problem.residual_step(),
            problem.reference_point().x,
        )  # fmt: skip

    with compat.double():
        pairs = [jax.device_get(jax.jit(all_of)(p)) for p in (sparse, dense)]
        H = pairs[0][3]
        slope = jax.jacfwd(lambda u: sparse.grad(u.reshape(x.shape)).ravel())
        auto = at_once(slope, x.ravel())
    for mine, theirs in zip(*pairs, strict=True):
        assert mine.shape == theirs.shape and _close(mine, theirs)
    assert _close(H, auto) and _close(H, H.T, 1e-15)


@each
def test_facts_bound_what_they_say(loss):
    for term in (bn.SquaredL2(0.3), bn.Zero()):
        for intercept in (True, False):
            sparse, dense = _pair(loss, term, intercept=intercept, sample_weight=WEIGHT)
            mine, theirs = sparse.facts(), dense.facts()
            assert mine.properties == theirs.properties
            if theirs.L is not None:
                assert float(theirs.L) <= 2 * float(mine.L) <= 4 * float(theirs.L)
                assert mine.provenance("L") == theirs.provenance("L")
                a, b = mine.get("curvature"), theirs.get("curvature")
                assert a == pytest.approx(b, rel=1e-12)
            for name in ("mu", "M"):
                a, b = getattr(mine, name), getattr(theirs, name)
                assert a is b is None or float(a) == pytest.approx(float(b), rel=1e-12)


@pytest.mark.parametrize("shape", [(180, 200), (300, 140), (40, 30), (20, 400)])
@pytest.mark.parametrize("moved", [None, 0.0, 3.0, 2e5])
def test_lipschitz_constants_of_moved_columns_are_above_the_truth(shape, moved):
    g = np.random.default_rng(shape[1])
    A = sp.random_array(shape, density=0.1, rng=g, format="csr")
    w = g.random(shape[0])
    B = A.toarray()
    seen = None
    if moved is not None:
        scale = g.uniform(0.1, 2, shape[1])
        mean = (w @ B) / w.sum() + moved * g.normal(size=shape[1]) / 100
        seen = spectrum.Columns(scale, mean, 0.7)
        B = np.c_[(B - mean) * scale, np.full(shape[0], 0.7)]
    B = np.sqrt(w)[:, None] * B
    true = np.linalg.norm(B, 2) ** 2
    found = spectrum.upper_sparse(A, w, seen)
    assert true <= found <= 2 * true
    C = sparse_input.sparse(A, "A")
    far = bounds.gradient_lipschitz(C, w, False, 0.25, seen)
    assert 0.25 * true <= far <= 0.5 * true
    with compat.double():
        # Traced, nothing can be looked at: Frobenius' norm, of moved columns too.
        traced = jax.jit(lambda C: bounds.gradient_lipschitz(C, w, False, 0.25, seen))(
            C
        )
    assert 0.25 * true <= float(traced) <= 0.25 * np.sum(B * B) * (1 + 1e-9)


def test_lipschitz_constants_of_extreme_units():
    A = sp.random_array((150, 160), density=0.1, rng=RNG, format="csr")
    w = RNG.random(150)
    true = np.linalg.norm(np.sqrt(w)[:, None] * A.toarray(), 2) ** 2
    for size in (1e-140, 1e140):
        assert 1 <= spectrum.upper_sparse(size * A, w) / size / size / true <= 2
        assert 1 <= spectrum.upper_sparse(A, size * w) / size / true <= 2
    assert spectrum.upper_sparse(0 * A, w) == 0
    assert spectrum.upper_sparse(1e170 * A, w) == np.inf


UNEVEN = np.array([1e-3, 1.0, 40.0, 7e4, 2.0, 0.1])


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss", ["LeastSquares", "Logistic", "Softmax"])
def test_the_view_of_scaled_and_centred_columns_is_the_dense_one(intercept, loss):
    A = sp.csr_array(S * UNEVEN)
    A = sp.csr_array(A + sp.csr_array(([5.0] * N, (range(N), [1] * N)), (N, P)))
    both = [
        GLM(B, TARGETS[loss], LOSSES[loss], bn.SquaredL2(0.3), intercept=intercept)
        for B in (A, A.toarray())
    ]
    views = [p.view(always=True) for p in both]
    for mine, theirs in zip(*map(jax.tree.leaves, views), strict=True):
        assert mine.dtype == theirs.dtype and _close(mine, theirs, 1e-13)
    seen = [v.there(p) for v, p in zip(views, both, strict=True)]
    x = RNG.normal(size=both[0].space().shape)
    with compat.double():
        found = at_once(lambda x: [(p.value(x), p.grad(x), p.hess(x)) for p in seen], x)
        for a, b in zip(*found, strict=True):
            assert _close(a, b, 1e-11)
        # What is traced is the same view.
        traced = jax.jit(lambda p: column_scaling.of(p, always=True))(both[0])
        for mine, theirs in zip(*map(jax.tree.leaves, (traced, views[0])), strict=True):
            assert _close(mine, theirs)
    mine, theirs = (p.facts() for p in seen)
    for name in ("L", "M", "mu", "curvature"):
        a, b = mine.get(name), theirs.get(name)
        assert a is b is None or float(a) == pytest.approx(float(b), rel=2e-5)


def test_a_constant_column_is_seen_as_constant():
    one = sp.csr_array(np.c_[np.full(9, 1 / 3), np.eye(9)[:, :2]])
    w = np.random.default_rng(3).random(9)
    y = np.arange(9.0)
    for weight in (None, w):
        p, q = (
            bn.Ridge(A, y, 1.0, intercept=True, sample_weight=weight)
            for A in (one, one.toarray())
        )
        a, b = p.view(always=True), q.view(always=True)
        assert _close(a.scale, b.scale)


@pytest.mark.parametrize(
    "term",
    [
        bn.L1(0.3), bn.L1(np.linspace(0.1, 1, P)), bn.SquaredL2(0.2),
        bn.ElasticNet(0.2, 0.1), bn.Box(-np.ones(P), np.full(P, 0.5)),
        bn.GroupL2(0.2, [0, 0, 1, 1, 2, 2]), bn.Simplex(1.0),
    ],
    ids=lambda t: type(t).__name__,
)  # fmt: skip
def test_norms_of_the_data_are_above_the_true_ones(term):
    sparse, dense = (
        GLM(A, TARGETS["LeastSquares"], bn.SquaredLoss(), term, intercept=True)
        for A in (S, D)
    )
    with compat.double():
        mine, theirs = (p.data_norms(np.float64) for p in (sparse, dense))
    for name in ("rows", "units", "columns"):
        assert _close(getattr(mine, name), getattr(theirs, name))
    for name in ("top", "mean"):
        for a, b in zip(
            *map(jax.tree.leaves, (getattr(mine, name), getattr(theirs, name))),
            strict=True,
        ):
            assert np.array_equal(a, b) or _close(a, b)
    assert (np.asarray(mine.columns) >= np.linalg.norm(D, axis=0)).all()
    stored = np.bincount(sparse_input.sparse(S, "A").rows, minlength=N)
    assert np.array_equal(mine.lengths, stored) and stored[2] == 0


def _exact(model, x):
    """F(x) of least squares and l1 in rational arithmetic, of the dense matrix."""
    A = [[Fraction(v) for v in row] for row in np.asarray(D).tolist()]
    x = [Fraction(v) for v in np.asarray(x, float).tolist()]
    y, lam = [Fraction(v) for v in model.y.tolist()], Fraction(float(model.term.lam))
    r = [sum(a * c for a, c in zip(row, x, strict=True)) - b
         for row, b in zip(A, y, strict=True)]  # fmt: skip
    return sum(v * v for v in r) / 2 + lam * sum(map(abs, x))


def test_a_gap_bounds_the_exact_one():
    model = bn.Lasso(S, TARGETS["LeastSquares"], 0.3)
    best = bn.solve(model, tol=1e-13).require().x
    low = _exact(model, best)
    for k in range(6):
        x = best + 10.0 ** (-3 * k) * RNG.normal(size=P)
        seen = bn.verify(model, x, check="gap").certificate
        value, slack = Fraction(float(seen.value)), Fraction(float(seen.slack))
        # The best of x and of the point is no minimum, but none lies below it.
        assert value + slack >= _exact(model, x) - low
    assert slack < Fraction(1, 10**13)


@each
def test_errors_of_products_are_charged_row_by_row(loss):
    """The slack of a gap of a sparse model is below that of the dense one."""
    sparse, dense = _pair(loss, bn.SquaredL2(0.3))
    x = bn.solve(dense, tol=1e-9).require().x
    mine, theirs = (bn.verify(p, x, check="gap").certificate for p in (sparse, dense))
    assert float(mine.slack) < float(theirs.slack)
    assert abs(float(mine.value) - float(theirs.value)) <= float(theirs.slack)


@pytest.mark.parametrize("check", ["stationarity", "step"])
def test_residual_checks_agree_with_the_dense_model(check):
    term = bn.SquaredL2(0.3) if check == "stationarity" else bn.L1(0.3)
    sparse, dense = _pair("Logistic", term, intercept=True)
    x = RNG.normal(size=P + 1)
    mine, theirs = (bn.verify(p, x, check=check).certificate for p in (sparse, dense))
    assert mine.rounding == theirs.rounding == "modelled"
    for a, b in zip(mine.parts, theirs.parts, strict=True):
        assert float(a.value) == pytest.approx(float(b.value), rel=1e-12, abs=1e-300)
        assert 0 <= float(a.slack) <= float(b.slack) * (1 + 1e-9)


MODELS = {
    "lasso": lambda A: bn.Lasso(A, TARGETS["Huber"], 0.1, intercept=True),
    "ridge": lambda A: bn.Ridge(A, TARGETS["Huber"], 0.1, sample_weight=WEIGHT),
    "logistic": lambda A: bn.LogisticRegression(A, TARGETS["Logistic"]),
    "softmax": lambda A: bn.SoftmaxRegression(A, TARGETS["Softmax"], intercept=False),
    "poisson": lambda A: bn.PoissonRegression(A, TARGETS["Poisson"], offset=OFFSET),
    "group": lambda A: bn.GroupLasso(A, TARGETS["Huber"], 0.1, [0, 0, 1, 1, 2, 2]),
    "nonnegative": lambda A: bn.NonnegativeLeastSquares(A, TARGETS["Huber"]),
    "box": lambda A: bn.BoxLeastSquares(A, TARGETS["Huber"], -1, 0.3),
    "simplex": lambda A: bn.SimplexLeastSquares(A, TARGETS["Huber"]),
}


@pytest.mark.parametrize("name", MODELS)
def test_solved_certified_and_the_same_answer(name):
    mine, theirs = (bn.solve(MODELS[name](A), tol=1e-10).require() for A in (S, D))
    # A column of zeros has any coefficient where nothing penalises it.
    seen = np.r_[0:3, 4 : len(mine.x)]
    assert np.allclose(mine.x[seen], theirs.x[seen], atol=2e-5)
    assert mine.certificate.quantity == theirs.certificate.quantity
    assert bn.verify(MODELS[name](S), mine.x).certified
    assert "A 15 x 6 with 19 entries" in mine.problem.formula()


FORMATS = ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_and_index_width_is_one_matrix(form):
    first = sparse_input.sparse(S, "A")
    kept = first.csr()  # without the stored zero, which some formats do not keep
    kept.eliminate_zeros()
    first = sparse_input.sparse(kept, "A")
    for made in (sp.coo_array(kept).asformat(form), sp.coo_matrix(kept).asformat(form)):
        again = sparse_input.sparse(made, "A")
        assert tree.size(again) >= tree.size(first)
        assert np.array_equal(again.csr().toarray(), D)
    if form in ("csr", "csc"):
        wide = kept.asformat(form)
        wide.indices, wide.indptr = (
            wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
        )  # fmt: skip
        again = sparse_input.sparse(wide, "A")
        assert again.rows is first.rows and again.columns is first.columns
        assert again.values.tobytes() == first.values.tobytes()


def test_what_is_read_is_the_librarys_own():
    A = sp.csr_array(D)
    model = bn.Lasso(A, TARGETS["Huber"], 0.1)
    x = RNG.normal(size=P)
    before = model.value(x)
    A.data[:] = 7.0
    A.indices[:] = 0
    assert model.value(x) == before


@pytest.mark.parametrize("kind", [np.float32, np.int8, np.int64, bool])
def test_dtypes_are_those_of_the_dense_model(kind):
    A = sp.csr_array((10 * D).astype(kind))
    mine, theirs = (bn.Ridge(B, np.ones(N, np.float32), 1.0) for B in (A, A.toarray()))
    assert mine.A.dtype == theirs.A.dtype and mine.space() == theirs.space()
    assert np.array_equal(mine.A.csr(mine.A.dtype).toarray(), theirs.A)


def test_an_empty_matrix_is_a_matrix_of_zeros():
    nothing = sp.csr_array((4, 3))
    r = bn.solve(bn.Lasso(nothing, np.ones(4), 0.1)).require()
    assert np.array_equal(r.x, np.zeros(3))


def _with(value, dtype=float):
    A = sp.csr_array(D).astype(dtype)
    A.data[3] = value
    return A


def _text():
    A = sp.csr_array(D)
    A.data = A.data.astype(object)
    return A


def _put(form, **parts):
    """A matrix some of whose arrays were replaced by hand."""
    A = sp.csr_array(D).asformat(form)
    for part, change in parts.items():
        value = np.array(getattr(A, part))
        setattr(A, part, change(value))
    return A


def _one(at, value):
    def change(v):
        v[at] = value
        return v

    return change


def _longer(A):
    A.data[0] = np.append(A.data[0], 7.0).tolist()
    return A


BAD = {
    "a column beyond": (lambda: _put("csr", indices=_one(0, P)), "dimension 6"),
    "a row beyond": (lambda: _put("csc", indices=_one(0, N)), "no row of 0 .. 14"),
    "a negative column": (lambda: _put("csr", indices=_one(0, -1)), "negative"),
    "rows that fall": (lambda: _put("csr", indptr=_one(3, 0)), "never fall"),
    "columns that fall": (lambda: _put("csc", indptr=_one(1, 99)), "never fall"),
    "a late start": (lambda: _put("csr", indptr=_one(0, 1)), "from 0"),
    "an end beyond": (lambda: _put("csr", indptr=_one(-1, 99)), "from 0"),
    "blocks that fall": (lambda: _put("bsr", indptr=_one(1, 99)), "never fall"),
    "a row too few": (lambda: _put("csr", indptr=lambda v: v[:-1]), "16 whole"),
    "a value too few": (lambda: _put("csr", data=lambda v: v[:-1]), "by data"),
    "values too few": (lambda: _put("coo", data=lambda v: v[:-1]), "equally many"),
    "a list too long": (lambda: _longer(sp.lil_array(D)), "more places than values"),
    "diagonals too few": (lambda: _put("dia", offsets=lambda v: v[:-1]), "one offset"),
    "nan": (lambda: _with(np.nan), "row {}, column {};".format(*np.argwhere(D)[3])),
    "infinite": (lambda: _with(-np.inf), "NaN or infinity"),
    "complex": (lambda: _with(1j, complex), "A.real"),
    "text": (_text, "numbers"),
    "three axes": (lambda: sp.coo_array(np.ones((2, 2, 2))), "2 axes"),
    "no columns": (lambda: sp.csr_array((3, 0)), "empty"),
    "integers that round": (lambda: _with(2**53 + 1, np.int64), "float64 would round"),
    "duplicates that overflow": (
        lambda: sp.coo_array(([1.5e308, 1.5e308], ([0, 0], [0, 0])), (N, P)),
        "beyond the range",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_matrices_are_refused(name):
    make, said = BAD[name]
    with pytest.raises(Misuse, match=said) as error:
        bn.Lasso(make(), np.ones(N), 0.1)
    assert str(error.value).startswith("A ")


def test_entries_in_any_order_and_twice_are_added_up():
    rng = np.random.default_rng(3)
    rows, columns = np.nonzero(D)
    values = D[rows, columns]
    order = rng.permutation(np.repeat(np.arange(values.size), 2))
    halves = sp.coo_array((values[order] / 2, (rows[order], columns[order])), (N, P))
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=N) * 2)])
    order = order[np.argsort(rows[order], kind="stable")]
    places = np.append(columns[order], [0, 5])  # room that no row reaches
    held = np.append(values[order] / 2, [7.0, 7.0])
    for made in (halves, sp.csr_array((held, places, starts), (N, P))):
        assert np.array_equal(sparse_input.sparse(made, "A").csr().toarray(), D)
    by_columns = sp.csr_array((held, places, starts), (N, P)).T
    assert np.array_equal(sparse_input.sparse(by_columns, "A").csr().toarray(), D.T)


@pytest.mark.parametrize("form", ["BCOO", "BCSR", "CSR", "CSC", "COO"])
def test_every_format_of_jax_is_one_matrix(form):
    A = getattr(jax_sparse, form).fromdense(jnp.asarray(D, np.float32))
    if form == "BCSR":  # with room for more entries than there are
        A = jax_sparse.BCSR.fromdense(jnp.asarray(D, np.float32), nse=A.nse + 4)
    model, x = bn.Ridge(A, np.ones(N), 1.0), RNG.normal(size=P)
    assert np.array_equal(model.A.csr(np.float32).toarray(), D.astype(np.float32))
    dense = bn.Ridge(D.astype(np.float32), np.ones(N), 1.0)
    assert float(model.value(x)) == pytest.approx(float(dense.value(x)), rel=1e-6)
    column = getattr(jax_sparse, form).fromdense(jnp.ones((N, 1)))
    with pytest.raises(Misuse, match=r"y\.todense\(\)\.ravel\(\)"):
        bn.Lasso(D, column, 0.1)


def test_formats_of_jax_that_are_no_matrix_are_refused():
    A = jax_sparse.BCSR.fromdense(jnp.asarray(D, np.float32))
    fallen = jax_sparse.BCSR((A.data, A.indices, A.indptr.at[3].set(0)), shape=A.shape)
    with pytest.raises(Misuse, match="never fall"):
        bn.Lasso(fallen, np.ones(N), 0.1)
    several = jax_sparse.BCSR.fromdense(jnp.asarray(D[None], np.float32), n_batch=1)
    with pytest.raises(Misuse, match=r"BCOO\.fromdense\(A\.todense\(\)\)"):
        bn.Lasso(several, np.ones(N), 0.1)


def test_sparse_targets_and_weights_are_refused_with_the_cure():
    column = sp.csr_array(np.ones((N, 1)))
    with pytest.raises(Misuse, match=r"y\.toarray\(\)\.ravel\(\)"):
        bn.Lasso(S, column, 0.1)
    with pytest.raises(Misuse, match=r"y\.toarray\(\)\.ravel\(\)"):
        bn.LogisticRegression(S, column)
    with pytest.raises(Misuse, match=r"sample_weight\.toarray\(\)\.ravel\(\)"):
        bn.Lasso(S, np.ones(N), 0.1, sample_weight=column)


def test_rows_and_targets_must_be_as_many():
    with pytest.raises(Misuse, match="15 rows"):
        bn.Ridge(S, np.ones(N + 1))


def test_optimality_and_start_of_a_float32_model():
    A = sp.csr_array(D.astype(np.float32))
    model = bn.Lasso(A, np.ones(N, np.float32), 0.1)
    r = bn.solve(model).require()
    assert r.x.dtype == np.float32
    assert model.optimality(Point(r.x)).x.dtype == np.float32
