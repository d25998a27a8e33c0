"""Regularisation paths: every point certified, the scores are scikit-learn's."""

import matplotlib
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LassoCV
from sklearn.metrics import log_loss

import banach as bn
from banach.doors import path as doors
from banach.kinds.glm import family

matplotlib.use("Agg")
A, Y = load_diabetes(return_X_y=True)


def test_the_path_is_that_of_single_solves_from_nothing_to_nearly_all():
    problem = bn.Lasso(A, Y, lam=2.0, intercept=True)
    path = bn.path(problem, points=8)
    top = np.abs(A.T @ (Y - Y.mean())).max()
    assert path.multiples[0] * 2.0 == pytest.approx(top, rel=1e-8)
    assert path.multiples[-1] / path.multiples[0] == pytest.approx(1e-2, rel=1e-8)
    assert path.certified.all() and len(path) == 8
    assert path.nonzeros[0] == 0 and path.nonzeros[-1] >= 8
    assert np.count_nonzero(bn.solve(bn.Lasso(A, Y, lam=0.99 * top, intercept=True)).x)
    alone = bn.solve(
        bn.Lasso(A, Y, lam=2 * path.multiples[5], intercept=True), tol=1e-9
    )
    np.testing.assert_allclose(path[5].x, alone.x, rtol=1e-4)
    assert [r.x.tolist() for r in path] == path.x.tolist()


def test_held_out_losses_are_scikit_learns():
    """Its folds, handed to ours: the same mean errors, the same choice."""
    lams = np.geomspace(2000.0, 5.0, 7)
    path = bn.path(
        bn.Lasso(A, Y, lam=1.0, intercept=True), lams[::-1], folds=4, tol=1e-9
    )
    parts = doors._dealt(bn.Lasso(A, Y, lam=1.0), 4, 0)
    folds = [(rest, out) for out, rest in parts]
    theirs = LassoCV(alphas=lams / len(Y), cv=folds, tol=1e-10, max_iter=10**5)
    theirs.fit(A, Y)
    order = np.argsort(-theirs.alphas_)
    # Half the mean square, a fold a row.
    np.testing.assert_allclose(path.scores, theirs.mse_path_[order].T / 2, rtol=1e-5)
    assert path.multiples[path.best] == pytest.approx(theirs.alpha_ * len(Y))
    assert path.one_error <= path.best
    at = path.mean_score[path.best] + path.score_error[path.best]
    assert path.mean_score[path.one_error] <= at
    assert "least" in str(path) and "within one error" in str(path)
    assert sorted(np.concatenate([out for _, out in folds])) == list(range(len(Y)))


def test_labels_are_dealt_in_equal_shares_and_weights_count():
    rng = np.random.default_rng(0)
    y = np.array([1] * 9 + [0] * 33)
    B = rng.normal(size=(42, 6)) + y[:, None]
    problem = bn.SparseLogisticRegression(
        sparse.csr_array(B), y, lam=1.0, sample_weight=rng.uniform(0.5, 2, 42)
    )
    for out, rest in doors._dealt(problem, 3, 1):
        assert np.sum(y[out]) == 3 and not set(out) & set(rest)
    path = bn.path(problem, points=4, folds=3)
    assert path.certified.all() and path.scores.shape == (3, 4)
    assert np.all(np.isfinite(path.scores)) and path.behind.all()
    # The mean loss is scikit-learn's log loss of the rows that were held out.
    out, rest = next(iter(doors._dealt(problem, 3, 0)))
    w, share = np.asarray(problem.weight), path.multiples[-1]
    part = bn.SparseLogisticRegression(
        B[rest], y[rest], lam=share * w[rest].sum() / w.sum(), sample_weight=w[rest]
    )
    fit = bn.solve(part, tol=1e-9)
    theirs = log_loss(y[out], fit.predict_proba(B[out])[:, 1], sample_weight=w[out])
    assert path.scores[0, -1] == pytest.approx(theirs, rel=1e-5)
    alone = np.arange(42) == 3
    with pytest.raises(bn.Misuse, match="both classes"):
        lone = bn.SparseLogisticRegression(B, alone, lam=1.0, intercept=True)
        bn.path(lone, points=3, folds=3)


def test_groups_and_elastic_nets_and_what_is_not_certified_is_told():
    group = bn.GroupLasso(A, Y, lam=1.0, groups=[0, 1] * 5)
    path = bn.path(group, [3000.0, 100.0])
    assert path.certified.all()
    net = bn.ElasticNetRegression(A, Y, l1=1.0, l2=0.5)
    given = bn.path(net, [500.0, 50.0, 5.0])
    both = given[1].problem.term
    assert (float(both.l1), float(both.l2)) == (50.0, 25.0)
    for term in (
        bn.SparseGroupL2(1.0, 2.0, [0, 1] * 5), bn.SCAD(1.5), bn.MCP(1.5),
        bn.SortedL1(np.linspace(2, 1, 10)), bn.L2Norm(3.0),
        bn.FusedL1(0.5, 2.0),
    ):  # fmt: skip
        model, x = bn.GLM(A, Y, bn.SquaredLoss(), term), np.arange(10.0)
        thrice = family.scaled(model, 3.0).term
        assert float(thrice.value(x)) == pytest.approx(3 * float(term.value(x)))
    cut = bn.path(group, [3000.0, 1.0], max_steps=3, tol=1e-12)
    assert not cut.certified.all() and "NOT CERTIFIED (budget)" in str(cut)
    rough = bn.path(group, [3000.0, 1.0], max_steps=3, tol=1e-12, folds=2)
    left = int((~rough.behind).sum())
    assert left > 0 and f"NOT CERTIFIED: {left} of the 4 answers behind" in str(rough)
    figure = cut.plot()
    assert "not certified" in [
        t.get_text() for t in figure.axes[0].get_legend().get_texts()
    ]


@pytest.mark.parametrize(
    ("stated", "given", "said"),
    [
        (lambda: bn.Lasso(A, Y, lam=1.0), {"multiples": [1.0, 0.0]}, "positive"),
        (lambda: bn.Lasso(A, Y, lam=1.0), {"folds": 1}, "folds must be"),
        (lambda: bn.Lasso(A, Y, lam=1.0), {"down_to": 2.0}, "below 1"),
        (lambda: bn.Lasso(A, Y, lam=1.0), {"points": 1}, "points"),
        (lambda: bn.Lasso(A, 0 * Y, lam=1.0), {}, "data ask for 0"),
        (lambda: bn.NonnegativeLeastSquares(A, Y), {"multiples": [1.0]}, "no strength"),
        (lambda: bn.GroupLasso(A, Y, lam=1.0, groups=[0, 1] * 5), {}, "multiples="),
        (lambda: bn.Root(lambda x: x, np.ones(2)), {}, "penalised linear model"),
    ],
)
def test_what_has_no_path_is_misuse(stated, given, said):
    with pytest.raises(bn.Misuse, match=said):
        bn.path(stated(), **given)


def test_scores_are_asked_for():
    path = bn.path(bn.Lasso(A, Y, lam=1.0), [100.0])
    with pytest.raises(bn.Misuse, match="folds=5"):
        path.best
