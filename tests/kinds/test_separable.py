"""Data without a minimiser: proved by directions, said beside a true certificate."""

import numpy as np
import pytest

import banach as bn
from banach.kinds.glm.separable import unattained

G = np.random.default_rng(11)
GROUP = np.arange(40) % 4
ONE_HOT = np.eye(4)[GROUP]
COIN = (G.random(40) < 0.5).astype(int)
COIN[:8] = [0, 0, 0, 0, 1, 1, 1, 1]  # both answers in every group
AGE = np.round(G.normal(40, 12, 40), 1)
COUNTS = G.poisson(2.0, 40) + 1


def model(kind, A, y, l2=0.0, **data):
    return getattr(bn, kind)(np.asarray(A, float), y, l2, **data)


NONE = {
    "one-hot": ("LogisticRegression", ONE_HOT, np.where(GROUP == 1, 1, COIN), False),
    "beside a column of numbers": (
        "LogisticRegression",
        np.column_stack([AGE, ONE_HOT]),
        np.where(GROUP == 3, 0, COIN),
        False,
    ),
    "reference group": (
        "LogisticRegression",
        ONE_HOT[:, 1:],
        np.where(GROUP == 0, 1, COIN),
        True,
    ),
    "two groups together": (
        "LogisticRegression",
        ONE_HOT @ [[1, 0], [1, 0], [0, 1.5], [0, -3]],
        np.where(GROUP < 2, COIN, GROUP == 2),
        True,
    ),
    "counts": ("PoissonRegression", ONE_HOT[:, 1:], COUNTS * (GROUP != 2), True),
    "counts of the reference": (
        "PoissonRegression",
        ONE_HOT[:, 1:],
        COUNTS * (GROUP != 0),
        True,
    ),
    "a class": (
        "SoftmaxRegression",
        ONE_HOT,
        np.where(GROUP == 1, 2, GROUP * (1 + COIN) % 3),
        False,
    ),
}


@pytest.mark.parametrize("name", NONE)
def test_groups_with_one_answer_have_no_minimiser(name):
    kind, A, y, intercept = NONE[name]
    problem = model(kind, A, y, intercept=intercept)
    far = np.full(problem.space().shape, 9.0)  # fitted far enough to be suspected
    assert "no minimiser exists" in unattained(problem, far)
    # The value really falls along the way, for ever; and any penalty ends that.
    result = bn.solve(problem, tol=1e-8)
    near = bn.solve(problem, tol=1e-3)
    assert problem.objective(result.x) < problem.objective(near.x)
    assert np.linalg.norm(result.x) > np.linalg.norm(near.x)
    assert unattained(model(kind, A, y, 1e-9, intercept=intercept), far) is None


def test_separable_data_are_certified_and_said_to_be():
    A = G.normal(size=(30, 2))
    y = A @ [1.0, -2.0] + 0.3 > 0
    problem = model("LogisticRegression", A, y.astype(int))
    result = bn.solve(problem)
    assert result.certified
    assert "minimiser exists: refuted" in result.certificate.assumes
    assert "separable" in result.hint and "separable" in str(result)
    seen = bn.verify(problem, result.x)
    assert seen.certified and "minimiser exists: refuted" in seen.certificate.assumes
    # Zero separates nothing: there nothing is proved, and nothing said.
    assert "minimiser" not in str(bn.verify(problem, np.zeros(3)).certificate.assumes)


def test_a_row_on_the_border_is_not_strictly_separated():
    A = np.array([[1.0, 2.0], [2.0, 1.0], [0.3, -0.3]])
    y = np.array([1, 1, -1])
    problem = bn.GLM(A, y, bn.LogisticLoss())
    # <a_3, d> = 0 for d = (1, 1), in exact and in floating arithmetic; 1e-17 is noise.
    assert "separable, x itself" not in str(unattained(problem, np.ones(2)))
    tilted = np.array([1.0, np.nextafter(1.0, 2.0)])
    assert "x itself" not in str(unattained(problem, tilted))
    assert "x itself" in unattained(problem, np.array([1.0, 1.5]))


ORDINARY = {
    "logistic": ("LogisticRegression", np.column_stack([AGE, ONE_HOT[:, 1:]]), COIN),
    "counts": ("PoissonRegression", ONE_HOT[:, 1:], COUNTS * (1 - COIN)),
    "least squares": ("Ridge", ONE_HOT[:, 1:], COUNTS * 1.0),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_data_are_not_called_separable(name):
    kind, A, y = ORDINARY[name]
    problem = model(kind, A, y, intercept=True)
    for far in (np.zeros(A.shape[1] + 1), np.full(A.shape[1] + 1, -30.0)):
        assert unattained(problem, far) is None


def test_rows_without_a_weight_do_not_count():
    A, y = ONE_HOT, np.where(GROUP == 1, 1, COIN)
    y[5] = 0  # the one other answer of group 1
    far = np.full(4, 9.0)
    w = np.ones(40)
    problem = model("LogisticRegression", A, y, intercept=False, sample_weight=w)
    assert unattained(problem, far) is None
    w = np.where(np.arange(40) == 5, 0.0, 1.0)
    problem = model("LogisticRegression", A, y, intercept=False, sample_weight=w)
    assert "coefficient 1" in unattained(problem, far)
