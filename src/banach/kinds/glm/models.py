"""Generalised linear models by their usual names, with scikit-learn's parameters.

Objectives are sums, never means: scikit-learn's alpha belongs to a mean where it
divides by n. Each docstring gives the exact mapping; the intercept is never
penalised. n is the number of samples.
"""

from collections.abc import Sequence
from typing import Any, Unpack

from numpy.typing import ArrayLike

from banach.core import validation
from banach.core.annotations import Column, Matrix, Real, Reals, RowOptions
from banach.core.door import door
from banach.core.problem import Misuse
from banach.kinds.glm import inputs as glm_inputs
from banach.kinds.glm.losses import (
    HuberLoss,
    LogisticLoss,
    PoissonLoss,
    SoftmaxLoss,
    SquaredHingeLoss,
    SquaredLoss,
)
from banach.kinds.glm.problem import GLM
from banach.kinds.glm.stack import OPTIONS, Blank, Spec, stackable
from banach.terms.groups import GroupL2
from banach.terms.norms import L1, ElasticNet, SquaredL2
from banach.terms.sets import Box, Nonnegative, Simplex


def _model(
    A: Any, y: Any, loss: Any, term: Any, *, intercept: Any = False, **data: Any
) -> Any:
    """The GLM; of a blank in the place of data what it is made of."""
    if isinstance(A, Blank):
        return Spec(GLM, loss, term, {"intercept": intercept})
    return GLM(A, y, loss, term, intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def Lasso(
    A: Matrix,
    b: Column,
    lam: Reals,
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 + lam ||c||_1.

    sklearn.linear_model.Lasso(alpha) minimises 1/(2n) ||.||^2 + alpha ||c||_1:
    lam = n alpha. `data`: sample_weight, offset, columns (names, for an array).
    """
    return _model(A, b, SquaredLoss(), L1(lam), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def Ridge(
    A: Matrix,
    b: Column,
    l2: Reals = 1.0,
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 + l2/2 ||c||^2.

    sklearn.linear_model.Ridge(alpha) minimises ||.||^2 + alpha ||c||^2: l2 = alpha.
    """
    return _model(A, b, SquaredLoss(), SquaredL2(l2), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def ElasticNetRegression(
    A: Matrix,
    b: Column,
    l1: Reals,
    l2: Reals,
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 + l1 ||c||_1 + l2/2 ||c||^2.

    sklearn.linear_model.ElasticNet(alpha, l1_ratio): l1 = n alpha l1_ratio,
    l2 = n alpha (1 - l1_ratio).
    """
    return _model(A, b, SquaredLoss(), ElasticNet(l1, l2), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def LogisticRegression(
    A: Matrix,
    y: Column,
    l2: Reals = 1.0,
    *,
    intercept: bool = True,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise sum_i log(1 + exp(-y_i (<a_i, c> + b0))) + l2/2 ||c||^2.

    Labels -1/+1, 0/1, or any two: the greater one is +1. In units of
    sklearn.linear_model.LogisticRegression(C): l2 = 1 / C.
    """
    return _model(A, y, LogisticLoss(), SquaredL2(l2), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def SparseLogisticRegression(
    A: Matrix,
    y: Column,
    lam: Reals,
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise sum_i log(1 + exp(-y_i (<a_i, c> + b0))) + lam ||c||_1.

    sklearn.linear_model.LogisticRegression(penalty="l1", C): lam = 1 / C; liblinear
    penalises the intercept as well, saga does not.
    """
    return _model(A, y, LogisticLoss(), L1(lam), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def SoftmaxRegression(
    A: Matrix,
    y: Column,
    l2: Reals = 1.0,
    *,
    classes: int | None = None,
    intercept: bool = True,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise sum_i (logsumexp(z_i) - z_i[y_i]) + l2/2 ||C||_F^2, z_i = C' a_i + b0.

    Labels of any kind, text or whole numbers: sorted and numbered as numpy.unique
    does, their order is the result's `problem.classes`. With `classes` = K, labels
    within 0 .. K-1 are the numbers themselves, and some may be absent.
    sklearn.linear_model.LogisticRegression(C), multinomial: l2 = 1 / C.
    """
    if classes is None:
        if not glm_inputs.known(y):
            raise Misuse("SoftmaxRegression of traced labels needs classes=K")
        classes = glm_inputs.distinct(y)
        if classes < 2:
            raise Misuse(
                f"SoftmaxRegression needs labels y of at least two classes, got "
                f"{classes}; pass classes=K with labels 0 .. K-1 if others are absent"
            )
    loss = SoftmaxLoss(validation.integer(classes, "classes", low=2))
    return _model(A, y, loss, SquaredL2(l2), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def PoissonRegression(
    A: Matrix,
    y: Column,
    l2: Reals = 1.0,
    *,
    intercept: bool = True,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise sum_i (mu_i - y_i + y_i log(y_i / mu_i)) + l2/2 ||c||^2, mu = exp(z).

    sklearn.linear_model.PoissonRegressor(alpha) divides the sum by n: l2 = n alpha.
    """
    return _model(A, y, PoissonLoss(), SquaredL2(l2), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def HuberRegression(
    A: Matrix,
    b: Column,
    delta: Real = 1.0,
    l2: Reals = 1.0,
    *,
    intercept: bool = True,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise sum_i huber_delta(<a_i, c> + b0 - b_i) + l2/2 ||c||^2.

    huber(r) = r^2/2 for |r| <= delta, else delta |r| - delta^2/2.
    sklearn.linear_model.HuberRegressor(epsilon, alpha) also fits a scale s; at its
    solution c solves this problem with delta = epsilon s and l2 = s alpha.
    """
    return _model(A, b, HuberLoss(delta), SquaredL2(l2), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def SquaredHingeClassifier(
    A: Matrix,
    y: Column,
    l2: Reals = 1.0,
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise 1/2 sum_i max(0, 1 - y_i z_i)^2 + l2/2 ||c||^2.

    sklearn.svm.LinearSVC(C), loss="squared_hinge": l2 = 1 / (2 C); it penalises
    its intercept, so compare with fit_intercept=False.
    """
    return _model(A, y, SquaredHingeLoss(), SquaredL2(l2), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def GroupLasso(
    A: Matrix,
    b: Column,
    lam: Reals,
    groups: ArrayLike | Sequence[Sequence[int]],
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 + sum_g lam_g ||c_g||_2.

    `groups`: one label a column, or tuples of indices. Not in scikit-learn.
    """
    return _model(
        A, b, SquaredLoss(), GroupL2(lam, groups), intercept=intercept, **data
    )


@stackable
@door(also=OPTIONS)
def NonnegativeLeastSquares(
    A: Matrix, b: Column, *, intercept: bool = False, **data: Unpack[RowOptions]
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 over c >= 0.

    scipy.optimize.nnls(A, b), sklearn.linear_model.LinearRegression(positive=True).
    """
    return _model(A, b, SquaredLoss(), Nonnegative(), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def BoxLeastSquares(
    A: Matrix,
    b: Column,
    lower: Reals,
    upper: Reals,
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 over lower <= c <= upper.

    scipy.optimize.lsq_linear(A, b, (lower, upper)).
    """
    term = Box(lower, upper)
    return _model(A, b, SquaredLoss(), term, intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def SimplexLeastSquares(
    A: Matrix, b: Column, radius: Real = 1.0, **data: Unpack[RowOptions]
) -> GLM:
    """minimise 1/2 ||A c - b||^2 over c >= 0, sum c = radius. Not in scikit-learn."""
    return _model(A, b, SquaredLoss(), Simplex(radius), **data)
