"""scikit-learn: the mapping of its parameters, checked against banach's objective."""

import jax
import numpy as np
import pytest
import small

import banach as bn
from banach.bridge.sklearn import Sklearn
from banach.core.method import Refusal
from banach.core.problem import Misuse
from banach.kinds.glm.losses import (
    HuberLoss,
    LogisticLoss,
    PoissonLoss,
    SoftmaxLoss,
    SquaredLoss,
)
from banach.kinds.glm.problem import GLM
from banach.terms.norms import L1, ElasticNet, SquaredL2
from banach.terms.sets import Box

rng = np.random.default_rng(2)
X = rng.standard_normal((40, 3))
REAL = X @ [1.0, -2.0, 0.0] + 0.5 * rng.standard_normal(40) + 1
SIGN = np.where(REAL > 0, 1.0, -1.0)
COUNT = rng.poisson(np.exp(0.3 * REAL)).astype(float)
CLASS = np.digitize(REAL, [-1.0, 1.5])
W = rng.uniform(0.5, 2.0, 40)

CASES = {
    "logistic": (SIGN, LogisticLoss(), SquaredL2(0.7)),
    "poisson": (COUNT, PoissonLoss(), SquaredL2(0.7)),
    "softmax": (CLASS, SoftmaxLoss(3), SquaredL2(0.7)),
    "ridge": (REAL, SquaredLoss(), SquaredL2(0.7)),
    "lasso": (REAL, SquaredLoss(), L1(6.0)),
    "elastic net": (REAL, SquaredLoss(), ElasticNet(4.0, 2.0)),
}


def residual(problem, x):
    """How far x is from stationary, relative to the same at the start."""
    from banach.core.point import Point

    far = [
        np.linalg.norm(problem.optimality(Point(v)).x) for v in (x, problem.start().x)
    ]
    return float(far[0] / far[1])


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("case", sorted(CASES))
def test_the_minimiser_of_the_estimator_is_that_of_the_problem(case, intercept):
    y, loss, term = CASES[case]
    weight = W if intercept else None
    problem = GLM(X, y, loss, term, intercept=intercept, sample_weight=weight)
    names = Sklearn.variants(problem, problem.facts())
    assert names
    for name in names:
        method = Sklearn.variant(name, problem, problem.facts())
        items = list(method.stream(problem, problem.start(), jax.random.key(0)))
        x = items[-1][0].x
        assert x.shape == problem.space().shape
        assert residual(problem, x) < (1e-5 if name == "lbfgs" else 1e-9)
        assert method.label() == f"sklearn:{name}"
        assert len(items) > (name in ("newton-cholesky", "coordinate-descent"))


def test_the_ladder_goes_on_from_where_the_last_fit_ended():
    y, loss, term = CASES["logistic"]
    problem = GLM(X, y, loss, term)
    items = list(Sklearn("newton-cholesky").stream(problem, problem.start(), None))
    far = [residual(problem, point.x) for point, *_ in items]
    assert far[0] < 1e-3 and far[1] < 1e-7
    # Started at the answer, the first fit has nothing to do.
    again = Sklearn("newton-cholesky").stream(problem, items[-1][0], None)
    assert residual(problem, next(again)[0].x) < 1e-7


def test_what_does_not_fit_is_refused_with_the_cure():
    boxed = GLM(X, REAL, SquaredLoss(), Box(-1.0, 1.0))
    huber = GLM(X, REAL, HuberLoss(), SquaredL2(1.0))
    weighted = GLM(X, REAL, SquaredLoss(), L1(np.array([1.0, 2.0, 0.0])))
    moved = GLM(X, SIGN, LogisticLoss(), SquaredL2(1.0), offset=REAL)
    for problem in (boxed, huber, weighted, moved, small.quadratic()):
        assert isinstance(Sklearn.suggest(problem, None), Refusal)
        assert isinstance(Sklearn.applies(problem, None), Refusal)
        assert Sklearn.variants(problem, None) == ()
    lasso = GLM(X, REAL, SquaredLoss(), L1(1.0))
    no = Sklearn.variant("lbfgs", lasso, None)
    assert isinstance(no, Refusal) and "coordinate-descent" in no.cure
    with pytest.raises(Misuse, match="did you mean newton-cholesky"):
        Sklearn("newton_cholesky")
    with pytest.raises(Misuse, match="has no parameter 'speed'"):
        Sklearn("coordinate-descent", {"speed": 1}).stream(lasso, lasso.start(), None)
    with pytest.raises(Misuse, match="coordinate-descent"):
        Sklearn("lbfgs").stream(lasso, lasso.start(), None)


def test_its_own_words_stand_beside_the_verdict():
    y, loss, term = CASES["logistic"]
    problem = GLM(X, y, loss, term)
    cut = bn.solve(problem, Sklearn("lbfgs", {"max_iter": 2}), tol=1e-12)
    assert cut.status == "stalled"
    assert cut.peer["status"] == "warned at tol 1e-14, n_iter_ 2"
    assert cut.peer["message"].startswith("ConvergenceWarning: lbfgs failed to")
    assert f"the peer    {cut.peer['status']}" in str(cut)
    done = bn.solve(problem, "sklearn:newton-cholesky")
    assert done.certified and done.peer["status"].startswith("no warning at tol ")
    assert done.to_dict()["peer"] == done.peer
