"""GLM: derivatives, facts, references, data handling and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from banach.core.point import Point
from banach.core.problem import Misuse
from banach.kinds.glm import models, zoo
from banach.kinds.glm.losses import (
    HuberLoss,
    LogisticLoss,
    PoissonLoss,
    SoftmaxLoss,
    SquaredHingeLoss,
    SquaredLoss,
)
from banach.kinds.glm.problem import GLM
from banach.terms.groups import GroupL2
from banach.terms.norms import L1, ElasticNet, SquaredL2
from banach.terms.sets import Box, Nonnegative, Simplex
from banach.zoo import datasets

RNG = np.random.default_rng(0)
N, P, K = 12, 3, 3
A = RNG.normal(size=(N, P))
W = RNG.uniform(0.5, 2, N)
O = 0.3 * RNG.normal(size=N)  # noqa: E741
TARGET = {
    SquaredLoss: RNG.normal(size=N),
    HuberLoss: RNG.normal(size=N),
    LogisticLoss: np.arange(N) % 2,
    SquaredHingeLoss: 2 * (np.arange(N) % 2) - 1,
    PoissonLoss: RNG.poisson(2.0, size=N),
    SoftmaxLoss: np.arange(N) % K,
}
LOSSES = [
    SquaredLoss(),
    HuberLoss(0.7),
    LogisticLoss(),
    SquaredHingeLoss(),
    PoissonLoss(),
    SoftmaxLoss(K),
]
each = pytest.mark.parametrize("loss", LOSSES, ids=[type(v).__name__ for v in LOSSES])


def model(loss, term=None, **more):
    return GLM(A, TARGET[type(loss)], loss, term, **more)


def rich(loss):
    """With everything that a GLM may have."""
    offset = None if isinstance(loss, SoftmaxLoss) else O
    weights = np.array([0.5, 1.0, 0.3])
    term = SquaredL2(0.7 if isinstance(loss, SoftmaxLoss) else weights)
    return model(loss, term, intercept=True, sample_weight=W, offset=offset)


@each
def test_oracles_agree_with_automatic_derivatives(loss):
    problem = rich(loss)
    shape = problem.space().shape
    assert shape == ((P + 1, K) if isinstance(loss, SoftmaxLoss) else (P + 1,))
    x, v = jnp.asarray(RNG.normal(size=shape)), jnp.asarray(RNG.normal(size=shape))

    @jax.jit
    def both(problem, x, v):
        grad = jax.grad(problem.objective)
        auto = problem.objective(x), grad(x), jax.jvp(grad, (x,), (v,))[1]
        own = *problem.value_and_grad(x), problem.hvp(x, v)
        flat = lambda r: grad(r.reshape(shape)).ravel()  # noqa: E731
        return auto, own, jax.jacfwd(flat)(x.ravel()), problem.hess(x)

    auto, own, dense, hess = both(problem, x, v)
    for a, b in zip(auto, own, strict=True):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-12)
    assert np.allclose(dense, hess, rtol=1e-12, atol=1e-12)
    assert np.array_equal(hess, hess.T) or np.allclose(hess, hess.T, atol=1e-14)
    # The objective is a plain weighted sum: no 1/n anywhere.
    coef, b = np.asarray(x[:-1]), np.asarray(x[-1])
    z = A @ coef + b + (0 if isinstance(loss, SoftmaxLoss) else O)
    y = np.asarray(problem.y)
    lam = np.asarray(problem.term.lam)
    total = W @ np.asarray(loss.value(z, y)) + 0.5 * np.sum(lam * (coef**2))
    assert np.isclose(own[0], total, rtol=1e-13)


@each
def test_lipschitz_is_a_tight_upper_bound_on_the_worst_curvature(loss):
    problem = rich(loss)
    L = problem.facts().L
    if loss.curvature_bound is None:
        assert L is None
        return
    B = np.sqrt(W)[:, None] * np.c_[A, np.ones(N)]
    top = loss.curvature_bound * np.linalg.eigvalsh(B.T @ B)[-1]
    lam = np.max(problem.term.lam)
    assert top <= L <= (top + lam) * 1.02
    traced = jax.jit(lambda p: p.facts().L)(problem)
    assert float(traced) >= top
    hess = problem.hess(jnp.zeros(problem.space().shape))
    assert np.linalg.eigvalsh(hess)[-1] <= L
    assert problem.facts().provenance("L") == "by construction"


@pytest.mark.parametrize("shape", [(200, 7), (7, 200), (40, 40)])
@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_lipschitz_bound_is_above_and_within_two_percent(shape, size):
    M = size * np.random.default_rng(1).normal(size=shape)
    L = GLM(M, np.zeros(shape[0]), SquaredLoss()).facts().L
    top = np.linalg.svd(M, compute_uv=False)[0] ** 2
    assert top <= L <= 1.02 * top


@pytest.mark.parametrize(
    "loss", [LogisticLoss(), SoftmaxLoss(K)], ids=["Logistic", "Softmax"]
)
def test_self_concordance_constant_bounds_third_derivatives(loss):
    problem = model(loss, SquaredL2(0.5), intercept=True)
    M = float(problem.facts().M)
    shape = problem.space().shape

    @jax.jit
    @jax.vmap
    def ratio(x, u, v):
        bend = lambda x: jnp.vdot(u, problem.hvp(x, u))  # noqa: E731
        value, third = jax.jvp(bend, (x,), (v,))
        return jnp.abs(third) / (value * jnp.linalg.norm(v.ravel()))

    x, u, v = RNG.normal(size=(3, 200, *shape))
    assert 0.01 * M <= np.max(ratio(x, u, v)) <= M


def test_strong_convexity_is_claimed_only_where_it_holds():
    facts = model(LogisticLoss(), SquaredL2(0.5)).facts()
    assert facts.has("strongly_convex") and facts.mu == 0.5
    weighted = model(LogisticLoss(), SquaredL2(np.array([0.5, 0.2, 3.0])))
    assert weighted.facts().mu == 0.2
    assert model(SquaredLoss(), ElasticNet(1.0, 0.25)).facts().mu == 0.25
    for other in (
        model(LogisticLoss(), SquaredL2(0.5), intercept=True),
        model(LogisticLoss(), SquaredL2(np.array([0.5, 0.0, 1.0]))),
        model(SquaredLoss(), L1(0.5)),
        model(SquaredLoss()),
    ):
        assert not other.facts().has("strongly_convex") and other.facts().mu is None
    assert all(p.facts().has("convex") for p in (weighted, other))


@each
@pytest.mark.parametrize("offset", [None, O], ids=["plain", "offset"])
def test_reference_is_the_best_constant_model(loss, offset):
    if isinstance(loss, SoftmaxLoss):
        offset = None
    problem = model(
        loss, SquaredL2(1.0), intercept=True, sample_weight=W, offset=offset
    )
    x = problem.reference_point().x
    assert np.all(np.asarray(x[:-1]) == 0)
    assert np.allclose(problem.grad(x)[-1], 0, atol=1e-12 * N)


def test_reference_of_a_set_is_feasible_and_fits_the_intercept_to_it():
    problem = model(LogisticLoss(), Box(0.5, 1.5), intercept=True)
    x = problem.reference_point().x
    assert np.array_equal(x[:-1], np.ones(P))
    assert abs(problem.grad(x)[-1]) < 1e-12
    simplex = model(SquaredLoss(), Simplex(2.0))
    assert np.allclose(simplex.start().x, 2.0 / P)
    assert simplex.facts().radius >= 2 * np.sqrt(2)


TERMS = [
    (None, False, "stationarity", set()),
    (SquaredL2(1.0), True, "gap", set()),
    (SquaredL2(0.0), False, "stationarity", set()),
    (L1(1.0), True, "gap", {"prox"}),
    (L1(np.array([0.0, 1.0, 1.0])), False, "step", {"prox"}),
    (ElasticNet(1.0, 0.5), True, "gap", {"prox"}),
    (GroupL2(1.0, [0, 0, 1]), True, "gap", {"prox"}),
    (Box(-1.0, 1.0), False, "gap", {"prox", "project", "lmo"}),
    (Box(-1.0, 1.0), True, "gap", {"prox", "project"}),
    (Nonnegative(), False, "step", {"prox", "project"}),
    (Simplex(1.0), False, "gap", {"prox", "project", "lmo"}),
]


@pytest.mark.parametrize(("term", "intercept", "check", "essential"), TERMS)
def test_what_each_term_offers_and_its_default_check(term, intercept, check, essential):
    problem = model(SquaredLoss(), term, intercept=intercept)
    assert problem.default_check() == check
    assert problem.essential() == essential <= problem.oracles()
    assert ("dual" in problem.oracles()) == (check == "gap")
    assert {"value", "grad", "hvp", "hess"} <= problem.oracles()
    if term is not None:
        assert type(term).__name__ in problem.formula()


def test_the_intercept_is_never_penalised_or_projected():
    problem = model(SquaredLoss(), L1(10.0), intercept=True)
    x = jnp.array([1.0, -2.0, 3.0, 7.0])
    assert np.array_equal(problem.prox(x, 1.0), [0, 0, 0, 7])
    # Away from 0: lam ||c||_1 only.
    assert problem.objective(x) - problem.value(x) == 60
    ridge = model(SquaredLoss(), SquaredL2(2.0), intercept=True)
    plain = model(SquaredLoss(), None, intercept=True)
    assert np.array_equal(ridge.grad(x) - plain.grad(x), [2, -4, 6, 0]) or np.allclose(
        ridge.grad(x) - plain.grad(x), [2, -4, 6, 0], atol=1e-13
    )


def test_optimality_vanishes_at_solutions_only():
    ridge = model(SquaredLoss(), SquaredL2(0.5))
    x = np.linalg.solve(A.T @ A + 0.5 * np.eye(P), A.T @ TARGET[SquaredLoss])
    assert np.max(np.abs(ridge.optimality(Point(x)).x)) < 1e-13
    lam = 2 * np.max(np.abs(A.T @ TARGET[SquaredLoss]))
    lasso = model(SquaredLoss(), L1(lam))
    assert np.all(lasso.optimality(Point(np.zeros(P))).x == 0)
    assert np.linalg.norm(lasso.optimality(Point(np.ones(P))).x) > 0.01


@each
def test_adjoint_is_the_transpose_of_the_linear_map(loss):
    problem = model(loss, SquaredL2(1.0), intercept=True)
    x = jnp.asarray(RNG.normal(size=problem.space().shape))
    z = problem.linear(x)
    th = jnp.asarray(RNG.normal(size=z.shape))
    assert np.isclose(jnp.vdot(z, th), jnp.vdot(x, problem.adjoint(th)), rtol=1e-13)


def test_integer_weights_equal_repeated_samples():
    counts = np.arange(1, N + 1) % 3 + 1
    once = model(LogisticLoss(), SquaredL2(1.0), intercept=True, sample_weight=counts)
    again = GLM(
        np.repeat(A, counts, axis=0),
        np.repeat(TARGET[LogisticLoss], counts),
        LogisticLoss(),
        SquaredL2(1.0),
        intercept=True,
    )
    x = RNG.normal(size=P + 1)
    assert np.allclose(once.grad(x), again.grad(x), atol=1e-13)
    assert np.isclose(once.value(x), again.value(x), rtol=1e-14)


def test_vmap_over_data_gives_a_problem_a_lane():
    ys = np.stack([TARGET[SquaredLoss], -TARGET[SquaredLoss]])
    make = lambda y: models.Ridge(A, y, 0.5).grad(jnp.ones(P))  # noqa: E731
    lanes = jax.vmap(make)(jnp.asarray(ys))
    for y, lane in zip(ys, lanes, strict=True):
        assert np.allclose(models.Ridge(A, y, 0.5).grad(np.ones(P)), lane, atol=1e-14)


def test_dtypes_are_kept_and_promoted_with_care():
    assert isinstance(model(SquaredLoss()).A, np.ndarray)
    f32 = np.float32
    small = GLM(A.astype(f32), TARGET[LogisticLoss], LogisticLoss(), SquaredL2(1.0))
    assert small.A.dtype == small.y.dtype == f32 and small.space().dtype == f32
    assert small.grad(np.zeros(P, f32)).dtype == f32
    assert small.hess(np.zeros(P, f32)).dtype == f32
    # A float64 target beside float32 features would lose its digits.
    assert GLM(A.astype(f32), TARGET[HuberLoss], HuberLoss()).A.dtype == np.float64
    assert (
        GLM(np.arange(6).reshape(3, 2), [1, 2, 3], PoissonLoss()).A.dtype == np.float64
    )
    assert np.array_equal(np.unique(model(LogisticLoss()).y), [-1, 1])
    with jax.enable_x64(False):
        assert model(SquaredLoss()).start().x.dtype == np.float64
        assert model(SquaredLoss(), Simplex()).start().x.dtype == np.float64


def poke(a, value):
    a = a.copy()
    a.flat[0] = value
    return a


NAN = [
    (
        lambda: GLM(poke(A, np.nan), TARGET[HuberLoss], HuberLoss()),
        r"A holds NaN.*\[0, 0\]",
    ),
    (
        lambda: GLM(A, poke(TARGET[HuberLoss], np.inf), HuberLoss()),
        "y holds NaN or inf",
    ),
    (lambda: GLM(A[0], TARGET[HuberLoss], HuberLoss()), r"2-D.*A\[:, None\]"),
    (
        lambda: GLM(A, TARGET[HuberLoss][:-1], HuberLoss()),
        r"shape \(11,\) but A has 12 rows",
    ),
    (lambda: GLM(np.zeros((0, 3)), np.zeros(0), HuberLoss()), "empty"),
    (lambda: GLM(A + 1j, TARGET[HuberLoss], HuberLoss()), "real numbers"),
    (lambda: GLM([[1, 2], [3]], [1, 2], HuberLoss()), "rectangular"),
    (lambda: GLM(A, ["a"] * N, LogisticLoss()), "two classes, got 1: 'a'"),
    (
        lambda: GLM(A, np.arange(N) % 3, LogisticLoss()),
        r"two classes.*SoftmaxRegression",
    ),
    (lambda: GLM(A, np.arange(N) - 1, PoissonLoss()), "counts y >= 0, got -1"),
    (
        lambda: GLM(A, np.arange(N) / 2, SoftmaxLoss(6)),
        "y holds 0.5, which is no label",
    ),
    (
        lambda: GLM(A, np.arange(N), SoftmaxLoss(6)),
        r"6 classes, got 12: 0, 1.*classes=12",
    ),
    (lambda: model(HuberLoss(), sample_weight=-W), "negative entry.*weight 0"),
    (lambda: model(HuberLoss(), sample_weight=0 * W), "0 everywhere"),
    (lambda: model(HuberLoss(), sample_weight=W[:3]), "sample_weight has shape"),
    (lambda: model(HuberLoss(), offset=W[:3]), "offset has shape"),
    (lambda: model(SoftmaxLoss(K), offset=O), "no offset"),
    (lambda: model(HuberLoss(), L1(np.ones(P + 1))), r"does not fit.*\(3,\)"),
    (lambda: model(HuberLoss(), Box(np.zeros(5), 1.0)), "does not fit"),
    (lambda: model(HuberLoss(), GroupL2(1.0, [0, 1])), "does not fit"),
    (lambda: model(HuberLoss(), 0.1), "needs a term of banach.terms, got 0.1"),
    (lambda: GLM(A, TARGET[HuberLoss], "squared"), "needs a loss, got 'squared'"),
    (lambda: GLM(A, np.ones(N), LogisticLoss(), intercept=True), "both classes"),
    (lambda: GLM(A, 0 * W, PoissonLoss(), intercept=True), "positive count"),
    (
        lambda: GLM(A, np.arange(N) % 2, SoftmaxLoss(3), intercept=True),
        r"none of \[2\]",
    ),
]


@pytest.mark.parametrize(("make", "message"), NAN)
def test_bad_input_is_one_clear_error(make, message):
    with pytest.raises(Misuse, match=f"(?s){message}"):
        make()


def test_weights_may_remove_a_class():
    y = np.where(np.arange(N) < 2, 1, 0)
    with pytest.raises(Misuse, match="both classes"):
        GLM(A, y, LogisticLoss(), intercept=True, sample_weight=(y == 0) * 1.0)


@pytest.mark.parametrize(
    ("name", "shape", "total"),
    [
        ("breast_cancer", (569, 30), 357),
        ("iris", (150, 4), 150),
        ("digits", (1797, 64), 8070),
        ("diabetes", (442, 10), 67243),
    ],
)
def test_datasets_are_those_of_scikit_learn(name, shape, total):
    from sklearn import datasets as theirs

    data = getattr(datasets, name)()
    A2, y2 = getattr(theirs, f"load_{name}")(return_X_y=True)
    assert data.A.shape == shape and data.y.sum() == total
    assert np.allclose(data.A, A2, rtol=0, atol=1e-15) and np.array_equal(data.y, y2)


def test_missing_data_files_name_the_cure(monkeypatch):
    monkeypatch.setattr(datasets.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Misuse, match="pip install scikit-learn"):
        datasets.iris()


@pytest.mark.parametrize("row", zoo.names(), ids=lambda row: row["name"])
def test_every_named_problem_loads_and_starts_finite(row):
    assert set(row) == {"name", "title", "kind"} and zoo.knows(row["name"])
    problem = zoo.load(row["name"])
    assert problem.kind == row["kind"]
    x = problem.start().x
    assert x.shape == problem.space().shape and x.dtype == np.float64
    assert np.isfinite(problem.objective(x)) and problem.objective(x) > 0
    assert problem.term.violation(problem.split(x)[0]) < 1e-15


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(Misuse, match="lasso:diabetes"):
        zoo.load("lasso:mars")


@pytest.mark.parametrize("shape", [(3, 400), (400, 3)])
def test_norms_leave_room_for_the_rounding_of_their_own_sums(shape):
    """Of data whose norms are exactly 5: n + p operations may each have rounded up."""
    A = np.zeros(shape)
    A[:2] = np.array([[3.0], [4.0]])
    p = models.Ridge(A, np.zeros(shape[0]), 1.0)
    norms = p.data_norms(np.float64)
    least = 5 * (1 + sum(shape) * 2.0**-53)
    assert np.all(np.asarray(norms.columns) >= least)
    assert np.all(np.asarray(norms.columns) <= 5 * (1 + 50 * sum(shape) * 2.0**-53))
