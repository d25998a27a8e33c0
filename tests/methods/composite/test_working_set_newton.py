"""Newton on a working set: the paper's steps, every loss, and what it refuses."""

import jax.numpy as jnp
import numpy as np
import pytest
from reference import working_set_newton as reference
from scipy import sparse

import banach as bn
from banach.core import unchanged
from banach.kinds.glm import host_model
from banach.methods.composite import _columns
from banach.methods.composite import _newton_systems as systems
from banach.methods.composite.working_set_newton import WorkingSet

COLUMNS = _columns.Columns
rng = np.random.default_rng(70)
N, P = 30, 12
A = rng.standard_normal((N, P)) * 10.0 ** rng.integers(-3, 4, P)
Z = A / np.linalg.norm(A, axis=0) @ (5 * rng.standard_normal(P))
SIZES = np.linalg.norm(A, axis=0)
SIGNS = np.where(Z + rng.standard_normal(N) > 0, 1, -1)
LOSSES = {
    "squared": (bn.SquaredLoss(), Z + rng.standard_normal(N)),
    "huber": (bn.HuberLoss(0.7), Z + rng.standard_normal(N)),
    "logistic": (bn.LogisticLoss(), SIGNS),
    "hinge": (bn.SquaredHingeLoss(), SIGNS),
    "poisson": (bn.PoissonLoss(), rng.poisson(np.exp(np.clip(Z / 3, -2, 2))) * 1.0),
}


@pytest.mark.parametrize("seed", range(4))
def test_the_steps_are_the_references(seed):
    draw = np.random.default_rng(seed)
    B, y = draw.standard_normal((12, 5)), draw.standard_normal(12)
    c = np.where(draw.random(5) < 0.6, draw.standard_normal(5), 0.0)
    lam = 0.2 * abs(B.T @ y).max()
    work = WorkingSet(host_model.of(bn.Lasso(B, y, lam=lam)), c, 0.0)
    work.add(np.setdiff1d(np.arange(5), np.flatnonzero(c)))
    for expected in reference.iterates(B, y, lam, c, 3):
        work.solve(most=1)
        np.testing.assert_allclose(work.c, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_solved_in_raw_units_with_weights_and_offsets(name, intercept):
    loss, y = LOSSES[name]
    draw = np.random.default_rng(1)
    problem = bn.GLM(
        A, y, loss, bn.ElasticNet(0.1 * SIZES, 1e-3 * SIZES**2), intercept=intercept,
        sample_weight=draw.uniform(0.1, 2, N), offset=0.3 * draw.standard_normal(N),
    )  # fmt: skip
    model, z = host_model.of(problem), jnp.linspace(-2.0, 2.0, N)
    y64 = np.asarray(problem.y, float)
    for own, theirs in (("slope", "derivative"), ("bend", "curvature")):
        np.testing.assert_allclose(
            getattr(model, own)(np.asarray(z, float)),
            getattr(problem.loss, theirs)(z, jnp.asarray(y64)), rtol=2e-5, atol=1e-6,
        )  # fmt: skip
    # Values up to a constant: PoissonLoss leaves y log y out.
    mine = model.value(np.asarray(z, float))
    theirs = np.asarray(problem.loss.value(z, jnp.asarray(y64)))
    np.testing.assert_allclose(
        mine - theirs, (mine - theirs)[0] if name != "poisson" else mine - theirs,
        atol=1e-5,
    )  # fmt: skip
    result = bn.solve(problem, "working_set_newton", tol=1e-10)
    assert result.certified and result.steps <= 6
    assert 0 < np.count_nonzero(result.x[:P]) <= P
    sparse_too = bn.GLM(
        sparse.csr_array(A), y, loss, problem.term, intercept=intercept,
        sample_weight=problem.weight, offset=problem.offset,
    )  # fmt: skip
    again = bn.solve(sparse_too, "working_set_newton", tol=1e-10)
    assert again.certified
    np.testing.assert_allclose(again.x[:P] * SIZES, result.x[:P] * SIZES, atol=1e-3)


def test_more_columns_than_rows_a_start_and_small_working_sets():
    draw = np.random.default_rng(2)
    B, y = draw.standard_normal((15, 60)), draw.standard_normal(15)
    problem = bn.Lasso(B, y, lam=0.02 * float(abs(B.T @ y).max()))
    few = bn.solve(problem, bn.WorkingSetNewton(first=2), tol=1e-11)
    assert few.certified and few.steps > 3
    once = bn.solve(problem, bn.WorkingSetNewton(first=60), tol=1e-11)
    assert once.certified and once.steps == 1
    np.testing.assert_allclose(few.x, once.x, atol=1e-8)
    assert bn.solve(problem, "working_set_newton", start=few.x, tol=1e-11).steps <= 1


def test_it_is_the_default_of_sparse_models_and_makes_way_where_it_cannot_run():
    B, y = A / SIZES, LOSSES["squared"][1]
    problem = bn.Lasso(B, y, lam=1.0)
    assert bn.solve(problem).method.label() == "working_set_newton"
    assert bn.solve(problem, tier="fused").method.label() == "fista"
    many = bn.solve_many([problem, bn.Lasso(B, y, lam=2.0)])
    assert many.certified.all()
    assert (
        bn.solve(bn.GroupLasso(B, y, lam=1.0, groups=[0, 1] * 6)).method.label()
        == "fista"
    )
    softmax = bn.GLM(B, np.arange(N) % 3, bn.SoftmaxLoss(3), bn.L1(1.0))
    with pytest.raises(bn.Misuse, match="SoftmaxLoss"):
        bn.solve(softmax, "working_set_newton")
    with pytest.raises(bn.Misuse, match="no l1 norm or elastic net"):
        bn.solve(bn.NonnegativeLeastSquares(B, y), "working_set_newton")
    with pytest.raises(bn.Misuse, match="bn.GLM"):
        pull = bn.Composite(lambda x: jnp.sum(x**2), bn.L1(1.0), np.ones(2), L=2.0)
        bn.solve(pull, "working_set_newton")
    with pytest.raises(bn.Misuse, match="first"):
        bn.WorkingSetNewton(first=0)


def test_a_run_that_nobody_watches_is_looked_at_where_it_may_be_done():
    draw = np.random.default_rng(3)
    B = draw.standard_normal((60, 300))
    y = B[:, :30] @ draw.standard_normal(30)
    problem = bn.Lasso(B, y, lam=0.05 * float(abs(B.T @ y).max()))
    method = bn.WorkingSetNewton(first=8)
    result = bn.solve(problem, method, tol=1e-8)
    *_, watched = bn.iterate(problem, method, tol=1e-8)
    assert result.certified and watched.certified
    assert len(result.trace.ratio) < len(watched.trace.ratio) == watched.steps + 1
    # By another check the guess says nothing, and every pass is looked at.
    other = bn.solve(problem, method, tol=1e-8, check="step")
    assert len(other.trace.ratio) == other.steps + 1
    # Its own guess of what is left is above what the check finds, or next to nothing.
    for point, _, _, left in method.stream(problem, problem.start(), None):
        gap = float(bn.verify(problem, point.x).certificate.value)
        assert gap <= 2 * left + 1e-10 * float(0.5 * y @ y)


def test_a_path_gathers_its_columns_once(monkeypatch):
    draw = np.random.default_rng(4)
    B, y = draw.standard_normal((25, 40)), draw.standard_normal(25)
    made = []
    monkeypatch.setattr(
        _columns, "Columns", lambda model: made.append(model) or COLUMNS(model)
    )
    problem = bn.ElasticNetRegression(B, y, 1.0, 0.1, intercept=True)
    path = bn.path(problem, points=6, down_to=0.1)
    assert len(made) == 1
    for multiple, x in zip(path.multiples, path.x, strict=True):
        alone = bn.solve(
            bn.ElasticNetRegression(B, y, multiple, 0.1 * multiple, intercept=True),
            tol=1e-12,
        )
        np.testing.assert_allclose(x, alone.x, atol=2e-4)


@pytest.mark.parametrize("ones", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_array])
def test_products_solve_the_same_system(kind, ones):
    draw = np.random.default_rng(5)
    B, d = draw.standard_normal((9, 4)), draw.uniform(0.1, 2, 9)
    wide = np.column_stack([B, np.ones(9)]) if ones else B
    bent, right = draw.uniform(0, 3, wide.shape[1]), draw.standard_normal(wide.shape[1])
    H = wide.T @ (d[:, None] * wide) + np.diag(bent)
    least = np.full(len(bent), 1e-8)
    for damping in (0.0, 0.3):
        want = np.linalg.solve(H + damping * np.diag(np.diag(H)), right)
        for system in (
            systems.Products(kind(B), d, bent, least),
            systems.Factorised(H, least),
        ):
            got = system.solved(right, damping, 1e-13)
            np.testing.assert_allclose(got, want, rtol=1e-9)
    rough = systems.Products(kind(B), d, bent, least).solved(right, 0.0, 0.5)
    assert 0 < rough @ right and np.linalg.norm(H @ rough - right) > 1e-6


def test_above_its_size_a_system_is_solved_by_products(monkeypatch):
    draw = np.random.default_rng(6)
    B = draw.standard_normal((40, 25))
    y = np.where(B[:, :9].sum(1) + draw.standard_normal(40) > 0, 1, -1)
    problem = bn.GLM(B, y, bn.LogisticLoss(), bn.ElasticNet(0.3, 0.2), intercept=True)
    want = bn.solve(problem, tol=1e-12)
    made = []
    monkeypatch.setattr(systems, "DENSE", 3)
    monkeypatch.setattr(_columns, "DENSE", 3)
    products = systems.Products
    monkeypatch.setattr(
        systems, "Products", lambda *a: made.append(len(a[2])) or products(*a)
    )
    got = bn.solve(problem, tol=1e-12)
    assert got.certified and max(made) > 9 and len(made) < 40
    np.testing.assert_allclose(got.x, want.x, atol=1e-5)


def test_runs_in_turns_do_not_take_each_others_columns():
    draw = np.random.default_rng(7)
    B, y = draw.standard_normal((30, 20)), draw.standard_normal(30)
    problem = bn.Lasso(B, y, lam=0.05 * float(abs(B.T @ y).max()))
    want = bn.solve(problem, tol=1e-12).x
    with unchanged.arrays():
        runs = [
            bn.iterate(problem, bn.WorkingSetNewton(first=k), tol=1e-10) for k in (1, 2)
        ]
        last = [None, None]
        while runs[0] is not None or runs[1] is not None:
            for i in range(2):
                result = None if runs[i] is None else next(runs[i], None)
                runs[i] = runs[i] if result is not None else None
                last[i] = result if result is not None else last[i]
    for result in last:
        assert result.certified
        np.testing.assert_allclose(result.x, want, atol=1e-6)


def test_a_path_keeps_the_data_that_it_solved():
    draw = np.random.default_rng(8)
    B, y = draw.standard_normal((30, 12)), draw.standard_normal(30)
    path = bn.path(bn.Lasso(B, y, lam=1.0), points=4)
    B *= 3.0
    assert all(bn.verify(r).certified for r in path)


def test_one_factorisation_serves_sets_that_differ_in_few_indices(monkeypatch):
    draw = np.random.default_rng(3)
    B = draw.standard_normal((90, 60))
    G = B.T @ B
    bent = draw.uniform(0, 1, 60)
    made, kept = [], systems.Kept()
    whole = systems.Kept._factorise
    monkeypatch.setattr(
        systems.Kept, "_factorise", lambda *a: made.append(1) or whole(*a)
    )
    S = np.arange(0, 48)
    sets = [
        S, S[3:], np.append(S[3:], [50, 55]), np.append(S, 55), S[:44],
        np.append(S[2:40], [49, 57]), S, S[::3], np.arange(60),
    ]  # fmt: skip
    for i, S in enumerate(sets):
        k = 56 if i < 4 else 60  # H grows meanwhile
        right = draw.standard_normal(S.size)
        got = kept.solved(G[:k, :k], S, bent[S], right, np.full(S.size, 1e-9))
        want = np.linalg.solve(G[np.ix_(S, S)] + np.diag(bent[S]), right)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    # The first, the one ten indices away, back from it, a third of it, and all.
    assert len(made) == 5
    # Other penalties on the diagonal are another matrix; a singular one has no answer.
    S = np.arange(60)
    got = kept.solved(G, S, 2 * bent, right, np.full(60, 1e-9))
    want = np.linalg.solve(G + 2 * np.diag(bent), right)
    np.testing.assert_allclose(got, want, rtol=1e-9)
    assert len(made) == 6
    bad = kept.solved(-G, S, 0 * bent, right, np.full(60, 1e-9))
    assert not np.isfinite(bad).any()


@pytest.mark.parametrize("intercept", [False, True])
def test_a_path_by_one_growing_set_ends_where_each_point_ends_alone(intercept):
    draw = np.random.default_rng(11)
    B = draw.standard_normal((60, 90))
    B[:, 1:] += 0.8 * B[:, :-1]  # neighbours are alike: signs change along the path
    y = B[:, :9] @ draw.standard_normal(9) + draw.standard_normal(60)
    stated = bn.ElasticNetRegression(B, y, 30.0, 0.5, intercept=intercept)
    out = bn.path(stated, multiples=np.geomspace(4, 0.02, 14), tol=1e-10)
    for multiple, r in zip(out.multiples, out.results, strict=True):
        one = bn.ElasticNetRegression(
            B, y, 30.0 * float(multiple), 0.5 * float(multiple), intercept=intercept
        )
        alone = bn.solve(one, "working_set_newton", tol=1e-10)
        assert r.certified and alone.certified
        np.testing.assert_allclose(r.x, alone.x, rtol=0, atol=1e-5)
