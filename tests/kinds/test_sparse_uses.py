"""Where sparse matrices go: lanes, peers, finite sums, files, functions, Linear."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp
from jax.experimental import sparse as jax_sparse

import banach as bn
from banach.bridge.sklearn import Sklearn
from banach.core import compat
from banach.core.problem import Misuse
from banach.core.save import seal
from banach.engine import interpret
from banach.kinds import sparse_input
from banach.parts.sparse import SparseMatrix

RNG = np.random.default_rng(21)
N, P, LANES = 30, 8, 4
S = sp.random_array((N, P), density=0.3, rng=RNG, format="csr")
D = S.toarray()
Y = np.stack([S @ RNG.normal(size=P) + 0.1 * RNG.normal(size=N) for _ in range(LANES)])
SIGNS = (Y > 0).astype(int)


def _same_pattern():
    """One matrix a lane, with entries in the places of S."""
    made = []
    for _ in range(LANES):
        other = S.copy()
        other.data = other.data * RNG.uniform(0.5, 2, S.nnz)
        made.append(other)
    return made


EACH = _same_pattern()
WIDE = np.stack([A.toarray() for A in EACH])
UNITS = np.r_[1.0, 1e3, 1e-2, np.ones(P - 3)]
STACKS = {
    "one matrix for all": lambda A: bn.Lasso.stack(A[0], Y, 0.1),
    "a matrix each": lambda A: bn.Lasso.stack(A[1], Y, np.linspace(0.1, 0.2, LANES)),
    "labels": lambda A: bn.LogisticRegression.stack(A[1], SIGNS, 1.0),
    "through views": lambda A: bn.Lasso.stack(
        [B * UNITS for B in A[1]] if isinstance(A[1], list) else A[1] * UNITS,
        Y + 3,
        0.1,
        intercept=True,
    ),
    "the class": lambda A: bn.GLM.stack(A[1], Y, bn.HuberLoss(0.5), bn.SquaredL2(0.2)),
}


@pytest.mark.parametrize("name", STACKS)
def test_lanes_of_one_pattern_are_solved_together(name):
    mine, theirs = (STACKS[name](A) for A in ((S, EACH), (D, WIDE)))
    assert isinstance(mine.view(1).A, SparseMatrix)
    sizes = [v.shape for v in mine.leaves[:3]]
    many = () if name == "one matrix for all" else (LANES,)
    # Where the entries are is held once.
    assert sizes == [(*many, S.nnz), (S.nnz,), (S.nnz,)]
    a, b = (bn.solve_many(s, tol=1e-9) for s in (mine, theirs))
    assert set(a.status) == {"certified"}
    assert np.allclose(a.x, b.x, atol=1e-8)
    assert np.array_equal(a.steps, b.steps)


def test_problems_of_one_pattern_share_it_when_they_are_put_side_by_side():
    problems = [bn.Ridge(A, y, 0.3) for A, y in zip(EACH, Y, strict=True)]
    many = bn.stack(problems)
    rows, columns = many.leaves[1:3]
    assert rows.shape == columns.shape == (S.nnz,)
    a = bn.solve_many(many, tol=1e-9)
    for i, p in enumerate(problems):
        assert np.allclose(a.x[i], bn.solve(p, tol=1e-9).x, atol=1e-8)


def test_lanes_of_other_patterns_are_named():
    with pytest.raises(Misuse, match="lane 1: A has entries in other places"):
        bn.Lasso.stack([S, sp.csr_array((N, P))], Y[:2], 0.1)
    with pytest.raises(Misuse, match="lane 1: A is dense"):
        bn.Lasso.stack([S, D], Y[:2], 0.1)
    bad = S.copy()
    bad.data[2] = np.nan
    with pytest.raises(Misuse, match="lane 1: A holds NaN"):
        bn.Lasso.stack([S, bad], Y[:2], 0.1)


SIDES = np.array([[1.0, 0, 2], [0, 1, 0], [-1, 0.5, 0], [0, 0, 3]])
FLAT = {
    "a column": (SIDES, np.array([1, 0, 1, 1]), bn.LogisticLoss(), np.zeros(4)),
    "a column of a class": (SIDES, [0, 1, 2, 2], bn.SoftmaxLoss(3), np.zeros((3, 3))),
    "a column of counts": (SIDES, [0.0, 1, 2, 0], bn.PoissonLoss(), np.zeros(3)),
    # Neither column alone; x itself lies on a row.
    "a combination": (
        np.array([[1.0, 1], [1, -1], [1, 1.5], [-1, -1], [-1, 1]]),
        np.array([1, 1, 1, 0, 0]), bn.LogisticLoss(), np.array([20.0, 20.0]),
    ),
    "x itself": (D, (D @ np.arange(1.0, P + 1) > 0).astype(int), bn.LogisticLoss(),
                 np.arange(1.0, P + 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", FLAT)
def test_data_without_a_minimiser_are_found_as_in_dense_ones(name):
    A, y, loss, x = FLAT[name]
    keep = np.abs(A).sum(axis=1) > 0
    A, y = A[keep], np.asarray(y)[keep]
    given = {"intercept": name == "a column"}
    mine, theirs = (
        bn.GLM(B, y, loss, bn.Zero(), **given).unattained(x)
        for B in (sp.csr_array(A), A)
    )
    assert mine == theirs and "no minimiser exists" in mine


def test_unequal_columns_that_a_term_couples_are_named():
    A = S * np.r_[1e3, np.ones(P - 1)]
    mine, theirs = (
        bn.GroupLasso(B, Y[0], 0.1, [0, 0, 1, 1, 2, 2, 3, 3]).diagnosis(np.zeros(P))
        for B in (A, A.toarray())
    )
    assert mine == theirs and "differ in size" in mine


PEERS = {
    "lasso": lambda A: bn.Lasso(A, Y[0], 0.1, intercept=True),
    "ridge": lambda A: bn.Ridge(A, Y[0], 0.1),
    "ridge and intercept": lambda A: bn.Ridge(A, Y[0], 0.1, intercept=True),
    "logistic": lambda A: bn.LogisticRegression(A, SIGNS[0]),
    "poisson": lambda A: bn.PoissonRegression(A, np.round(np.exp(Y[0]))),
}


@pytest.mark.parametrize("name", PEERS)
def test_scikit_learn_is_handed_the_sparse_matrix(name, monkeypatch):
    import sklearn.linear_model as models

    given = []
    for kind in (
        models.ElasticNet, models.Ridge, models.LogisticRegression,
        models.PoissonRegressor,
    ):  # fmt: skip
        fit = kind.fit

        def seen(self, X, *args, fit=fit, **keywords):
            given.append(X)
            return fit(self, X, *args, **keywords)

        monkeypatch.setattr(kind, "fit", seen)
    problem = PEERS[name](S)
    for variant in Sklearn.variants(problem, problem.facts()):
        r = bn.solve(problem, method=f"sklearn:{variant}", tol=1e-6)
        assert r.status == "certified", (variant, r.reason)
    assert given and all(sp.issparse(X) and X.nnz == S.nnz for X in given)


@pytest.mark.parametrize("method", ["scipy:L-BFGS-B", "scipy:trust-exact"])
def test_scipy_minimises_by_the_oracles_of_a_sparse_model(method):
    assert bn.solve(PEERS["logistic"](S), method=method, tol=1e-8).certified


@pytest.mark.parametrize("name", ["ridge", "logistic", "poisson"])
def test_a_finite_sum_is_that_of_the_dense_model(name):
    mine, theirs = (PEERS[name](A).as_finite_sum() for A in (S, D))
    x = RNG.normal(size=mine.size())
    assert float(mine.value(x)) == pytest.approx(float(theirs.value(x)), rel=1e-13)
    assert np.allclose(mine.grad(x), theirs.grad(x), rtol=1e-12, atol=1e-13)
    widest = np.diff(S.indptr).max()
    assert jax.tree.leaves(mine.data)[0].shape == (N, widest)
    if theirs.facts().L is not None:
        assert float(mine.facts().L) == pytest.approx(float(theirs.facts().L), rel=1e-9)


def test_a_finite_sum_of_one_full_row_is_refused():
    A = sp.lil_array((3000, 900))
    A[0] = 1.0
    A = sp.csr_array(A) + sp.csr_array(([1.0] * 3000, (range(3000), [1] * 3000)),
                                       (3000, 900))  # fmt: skip
    with pytest.raises(Misuse, match="padded to its longest, 900"):
        bn.Ridge(A, np.ones(3000), 1.0).as_finite_sum()


def test_a_saved_model_is_read_and_looked_at_again(tmp_path):
    r = bn.solve(PEERS["ridge"](S), tol=1e-9)
    file = tmp_path / "run.json"
    r.save(file)
    assert bn.verify(file).certified
    kept = bn.load(file).problem.A
    assert isinstance(kept, SparseMatrix)
    # The pattern is the one that lives already.
    for leaf in ("values", "rows", "columns"):
        assert np.array_equal(getattr(kept, leaf), getattr(r.problem.A, leaf))


def _put(field, change):
    """The saved document with one field of its matrix changed, sealed anew."""

    def edited(saved):
        fields = saved["problem"]["module"]["fields"]["A"]["fields"]
        fields[field] = change(fields[field])
        return seal(saved)

    return edited


def _array(change):
    def edited(item):
        import base64

        head = item["array"]
        a = np.frombuffer(base64.b64decode(head["base64"]), head["dtype"]).copy()
        change(a)
        return {"array": head | {"base64": base64.b64encode(a.tobytes()).decode()}}

    return edited


def _set(at, value):
    return _array(lambda a: a.__setitem__(at, value))


EDITS = {
    "a row outside": _put("rows", _set(-1, N)),
    "a negative column": _put("columns", _set(0, -1)),
    "a place twice": _put("columns", _array(lambda a: a.__setitem__(1, a[0]))),
    "rows not sorted": _put("rows", _set(0, N - 1)),
    "not a number": _put("values", _set(3, np.nan)),
    "fewer rows": _put("height", lambda _: N - 1),
    "a column less than its entries": _put("width", lambda _: P - 1),
    "a shorter longest row": _put("longest", lambda n: n - 1),
    "a higher column": _put("tallest", lambda n: n + 1),
    "another field": _put("longest", lambda _: "x"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_damaged_pattern_is_refused(name, tmp_path):
    file = tmp_path / "run.json"
    bn.solve(PEERS["ridge"](S), tol=1e-9).save(file)
    file.write_text(json.dumps(EDITS[name](json.loads(file.read_text()))))
    with pytest.raises(Misuse):
        bn.verify(file)


def test_functions_take_sparse_data():
    def residual(x, A, y):
        return A @ x - y

    problem = bn.NonlinearLeastSquares(residual, np.zeros(P), args=(S, Y[0]))
    r = bn.solve(problem, tol=1e-8).require()
    best = np.linalg.lstsq(D, Y[0], rcond=None)[0]
    assert np.allclose(r.x, best, atol=1e-6)

    def loss(x, A, y):
        r = A @ x - y
        return r @ r / 2 + jnp.sum((A.T @ r) ** 2)

    smooth = bn.Smooth(loss, np.ones(P), args=(S, Y[0]))
    x = RNG.normal(size=P)
    e = D @ x - Y[0]
    assert float(smooth.value(x)) == pytest.approx(e @ e / 2 + np.sum((D.T @ e) ** 2))
    assert np.allclose(smooth.grad(x), D.T @ e + 2 * D.T @ (D @ (D.T @ e)))
    with pytest.raises(Misuse, match=r"args=\(S,\)"):
        bn.minimize(lambda x: jnp.sum((S @ x - Y[0]) ** 2), np.zeros(P))
    with pytest.raises(Misuse, match="sparse matrix"):
        bn.FiniteSum(lambda x, d: jnp.sum(x) * d, np.zeros(P), S)


PRODUCTS = {
    "c * S @ x": lambda S, x: 0.1 * S @ x,
    "S * c / d": lambda S, x: (S * 3 / 7) @ x,
    "NumPy's c": lambda S, x: np.float64(0.3) * S @ x,
    "a traced c": lambda S, x: x[0] * S @ x,
    "-S": lambda S, x: -S @ x,
    "S.dot": lambda S, x: S.dot(x),
    "S.toarray": lambda S, x: S.toarray() @ x,
    "y @ S": lambda S, x: (S @ x) @ S,
    "2 y @ S": lambda S, x: 2 * (S @ x) @ S,
    "S.T": lambda S, x: 0.5 * S.T @ (S @ x),
    "-S.T / c": lambda S, x: (-S.transpose() / 4).dot(S @ x),
    "y @ S.T": lambda S, x: x @ (S.T * 2.0),
    "S.T.toarray": lambda S, x: x @ S.T.toarray(),
}


# One function of many programs, on purpose.
@pytest.mark.filterwarnings("ignore:.*third different program")
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_written_as_with_scipys_own(name):
    def squares(x, S):
        return jnp.sum(PRODUCTS[name](S, x) ** 2)

    x = RNG.normal(size=P)
    smooth = bn.Smooth(squares, np.ones(P), args=(S,))
    theirs = np.sum(np.asarray(PRODUCTS[name](S, x)) ** 2)
    assert float(smooth.value(x)) == pytest.approx(theirs, rel=1e-12)
    by_hand = PRODUCTS[name](sparse_input.sparse(S, "S"), x)
    assert np.allclose(by_hand, PRODUCTS[name](S, x), rtol=1e-5)


NOT_THERE = {
    "S * x": lambda S, x: S * x,
    "S + S": lambda S, x: (S + S) @ x,
    "S.T @ S": lambda S, x: S.T @ S @ x,
    "S[0]": lambda S, x: S[0] @ x,
    "S.sum": lambda S, x: S.sum() * x,
    "jnp": lambda S, x: jnp.dot(S, x),
    "NumPy's entries": lambda S, x: np.ones(P) * S @ x,
    "S.T + S": lambda S, x: (S.T + 1) @ x,
}


@pytest.mark.parametrize("name", NOT_THERE)
def test_what_a_sparse_matrix_has_is_told(name):
    def squares(x, S):
        return jnp.sum(NOT_THERE[name](S, x) ** 2)

    with pytest.raises(Misuse, match=r"c \* S, S / c.*with SciPy"):
        bn.Smooth(squares, np.ones(P), args=(S,))
    with pytest.raises(Misuse, match=r"args=\(S,\)"):
        bn.Smooth(lambda x: jnp.sum(jnp.dot(S, x)), np.ones(P))
    with pytest.raises(Misuse, match=r"args=\(S,\)"):
        bn.Smooth(lambda x: jnp.sum(0.1 * S @ x), np.ones(P))


def test_a_sparse_matrix_in_a_place_of_a_dense_one_has_a_cure_that_fits():
    A = sp.csr_array(np.ones((1, 3)))
    with pytest.raises(Misuse, match=r"pass A\.toarray\(\)$"):
        bn.AffineSet(A, [1.0])
    assert bn.AffineSet(A.toarray(), [1.0]).basis.shape == (3, 1)
    B = jax_sparse.BCSR.fromdense(jnp.ones((1, 3)))
    with pytest.raises(Misuse, match=r"args=\(S\.to_bcoo\(\),\)"):
        bn.Smooth(lambda x, S: jnp.sum(2 * S @ x), np.ones(3), (B,))
    smooth = bn.Smooth(lambda x, S: jnp.sum(2 * S @ x), np.ones(3), (B.to_bcoo(),))
    assert float(smooth.value(np.ones(3))) == 6.0


def test_a_dense_jacobian_is_not_made_of_much_smaller_sparse_data():
    n, p = 3000, 400
    A = sp.random_array((n, p), density=0.005, rng=RNG, format="csr")
    y = np.tanh(A @ RNG.normal(size=p))

    def residual(x, A, y):
        return jnp.tanh(A @ x) - y

    small, large = (
        bn.NonlinearLeastSquares(residual, np.zeros(p), args=(B, y[: B.shape[0]]))
        for B in (A[:200], A)
    )
    assert {"jacobian", "hess"} <= small.oracles()
    assert large.oracles() == {"value", "grad", "hvp", "residual"}
    assert small.default_check() == "projected_residual"
    assert large.default_check() == "stationarity"
    r = bn.solve(large, tol=1e-5).require()
    assert r.method.label() == "lbfgs" and float(large.value(r.x)) < 1e-6
    with pytest.raises(Misuse, match="jacobian"):
        bn.solve(large, method="levenberg_marquardt")


def test_normal_equations_of_a_tall_sparse_matrix():
    mine, theirs = (bn.normal_equations(A, Y[0], 0.3) for A in (S, D))
    x = RNG.normal(size=P)
    assert np.allclose(mine.matvec(x), theirs.matvec(x), rtol=1e-13)
    assert np.allclose(mine.b, theirs.b, rtol=1e-13)
    assert np.allclose(mine.A.diagonal(), theirs.A.diagonal(), rtol=1e-13)
    assert mine.A.terms() < theirs.A.terms()
    with compat.double():
        big = np.abs(x)
        assert np.allclose(mine.A.absolute(big), theirs.A.absolute(big), rtol=1e-13)
        lost = np.asarray(mine.A.vanished(big))
    assert (0 < lost).all() and (lost < 1e-290).all()
    r = bn.solve(mine, tol=1e-10).require()
    assert np.allclose(r.x, np.linalg.solve(D.T @ D + 0.3 * np.eye(P), D.T @ Y[0]))
    # Without a ridge a factorisation proves definiteness, as it does of a dense one.
    for A in (S, D):
        assert bn.normal_equations(A, Y[0]).facts().has("positive_definite")
    lean = sp.csr_array(D[:3])
    assert not bn.normal_equations(lean, Y[0, :3]).facts().has("positive_definite")
    with pytest.raises(Misuse, match="needs a square"):
        bn.Linear(S, Y[0])


def test_a_sparse_product_is_the_same_by_numpy_and_within_its_count_of_roundings():
    A = sparse_input.sparse(S, "A")
    x, y = RNG.normal(size=(P, 3)), RNG.normal(size=N)

    def products(A, x, y):
        return A.matvec(x), A.rmatvec(y), A.gram(y), A.matrix(), A.diagonal()

    with compat.double():
        leaves, structure = jax.tree.flatten((A, x, y))
        flat = lambda *v: products(*jax.tree.unflatten(structure, v))  # noqa: E731
        closed = jax.make_jaxpr(flat)(*leaves)
        assert interpret.refusal(closed) is None
        numpy = interpret.compile(closed)([np.asarray(v) for v in leaves])
        xla = jax.device_get(jax.jit(flat)(*leaves))
    exact = D @ x, D.T @ y, D.T @ np.diag(y) @ D, D, None
    for a, b, c in zip(numpy, xla, exact, strict=True):
        assert np.allclose(a, b, rtol=1e-14, atol=1e-14)
        if c is not None:
            assert np.allclose(b, c, rtol=1e-13, atol=1e-13)


def test_rows_of_a_sparse_matrix_are_picked_inside_a_trace():
    A = sparse_input.sparse(S, "A")
    index = np.array([3, 0, N - 1, 3])
    x, X = RNG.normal(size=P), RNG.normal(size=(P, 2))
    y, Y2 = RNG.normal(size=4), RNG.normal(size=(4, 2))

    @jax.jit
    def products(A, index):
        rows = A.picked(index)
        ahead, back = (
            [rows.matvec(v) for v in (x, X)],
            [rows.rmatvec(v) for v in (y, Y2)],
        )
        return rows.matrix(), *ahead, *back

    with compat.double():
        found = products(A, index)
    own = D[index]
    for a, b in zip(found, (own, own @ x, own @ X, own.T @ y, own.T @ Y2), strict=True):
        assert np.allclose(a, b, rtol=1e-13, atol=1e-14)


def test_entries_out_of_bounds_are_dropped_by_numpy_as_by_xla():
    places = np.array([0, 3, -1, 7, 3], np.int32)
    values = np.arange(1.0, 6.0)

    def added(mode):
        def fun(places, values):
            at = jnp.zeros(5).at[places]
            return at.add(values, mode=mode, wrap_negative_indices=False)

        return fun

    with compat.double():
        for mode in ("drop", "clip"):
            closed = jax.make_jaxpr(added(mode))(places, values)
            (mine,) = interpret.compile(closed)([places, values])
            assert np.array_equal(mine, jax.jit(added(mode))(places, values))


def test_single_entries_cost_more_than_rows_of_them():
    A = sparse_input.sparse(sp.random_array((4000, 400), density=0.01, rng=RNG), "A")
    with compat.double():
        product = jax.make_jaxpr(lambda A, x: A.matvec(x))(A, np.ones(400))
    taken, added = A.nnz * 4 / 2000, A.nnz * 7 / 2000
    assert interpret.work(product, interpret.scattered) == taken + added
    assert interpret.work(product) >= taken + added


def test_solutions_have_derivatives_by_the_values_of_the_matrix():
    model = bn.Ridge(S, Y[0], 0.5)
    found = bn.solve(model, method="lbfgs", tol=1e-10).require()
    (values, *rest), structure = jax.tree.flatten(model)

    def total(values):
        problem = jax.tree.unflatten(structure, [values, *rest])
        given = {"check": bn.Stationarity(), "max_steps": 200, "tol": 1e-12}
        return jnp.sum(bn.run(problem, found.method, model.start(), **given).x)

    def exact(values):
        A = model.A.with_values(values).csr().toarray()
        return np.linalg.solve(A.T @ A + 0.5 * np.eye(P), A.T @ Y[0]).sum()

    with compat.double():
        slope = jax.jit(jax.grad(total))(values)
    for k in (0, 5, 40):
        h = 1e-5 * (np.arange(len(values)) == k)
        around = (exact(values + h) - exact(values - h)) / 2e-5
        assert float(slope[k]) == pytest.approx(around, rel=1e-7, abs=1e-9)


def test_a_traced_matrix_is_sorted_summed_and_padded():
    from jax.experimental.sparse import BCOO

    rows, columns = S.tocoo().coords
    # Two entries once more, and padding outside the matrix.
    at = np.stack([np.r_[rows, rows[:2], N], np.r_[columns, columns[:2], P]], axis=1)
    data = np.r_[S.data, 0.5, 0.25, 0.0]
    whole = D.copy()
    whole[rows[:2], columns[:2]] += [0.5, 0.25]
    x, dense = RNG.normal(size=P), bn.Ridge(whole, Y[0], 0.3)

    def stated(data):
        return bn.Ridge(BCOO((data, jnp.asarray(at)), shape=(N, P)), Y[0], 0.3)

    def oracles(problem):
        return problem.value(x), problem.grad(x), problem.hess(x)

    with compat.double():
        mine = jax.jit(lambda v: oracles(stated(v)))(data)
        for a, b in zip(mine, oracles(dense), strict=True):
            assert np.allclose(a, b, rtol=1e-12, atol=1e-12)
        bound = jax.jit(lambda v: stated(v).facts().L)(data)
        problem = jax.jit(stated)(data)
    assert float(bound) >= np.linalg.norm(whole, 2) ** 2 + 0.3
    problem.validate()
    r = bn.solve(problem, tol=1e-10).require()
    assert np.allclose(r.x, bn.solve(dense, tol=1e-10).x, atol=1e-8)
    assert bn.solve(stated(jnp.asarray(data)), tol=1e-4).certified


def test_a_box_with_sides_of_one_number_and_an_intercept():
    S, y = sp.csr_array(np.eye(4) + np.eye(4, k=1)), np.array([3.0, 1, 0, 2])
    sparse = bn.solve(bn.BoxLeastSquares(S, y, 0, 1, intercept=True))
    dense = bn.solve(bn.BoxLeastSquares(S.toarray(), y, 0, 1, intercept=True))
    assert sparse.certified and dense.certified
    np.testing.assert_allclose(
        sparse.problem.objective(sparse.x), dense.problem.objective(dense.x), rtol=1e-5
    )


def test_keys_are_a_format_and_no_dict():
    S, y = sp.dok_array(np.eye(3)), np.ones(3)
    assert bn.Lasso(S, y, lam=0.1).A.nnz == 3


def test_kinds_whose_work_is_dense_say_so():
    S, y = sp.csr_array(np.eye(3)), np.ones(3)
    for state in (
        lambda: bn.ConvexRelu(S, y, 0.1),
        lambda: bn.RobustConvexRelu(S, y, 0.1, 0.1),
        lambda: bn.Transport.points(S, S, eps=0.1),
        lambda: bn.Transport(S, y / 3, y / 3, 0.1),
    ):
        with pytest.raises(bn.Misuse, match=r"\.toarray\(\)"):
            state()
