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
from banach.terms.folded_concave import MCP, SCAD
from banach.terms.fused import FusedL1
from banach.terms.groups import GroupL2, SparseGroupL2
from banach.terms.norms import L1, ElasticNet, SquaredL2
from banach.terms.sets import Box, Nonnegative, Simplex
from banach.terms.sorted_l1 import SortedL1


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

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        lam: the weight of the penalty, a number >= 0 or one a column.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.Lasso(A, b, lam=0.1)).x.round(3)
        array([1.133, 1.5  ])
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

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        l2: the weight of the penalty, a number >= 0 or one a column.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.Ridge(A, b, l2=0.1)).x.round(3)
        array([1.145, 1.483])
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

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        l1, l2: weights of the penalties, numbers >= 0 or one a column.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.ElasticNetRegression(A, b, l1=0.1, l2=0.1)).x.round(3)
        array([1.115, 1.482])
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

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        y: (n,), labels of two classes.
        l2: the weight of the penalty, a number >= 0 or one a column.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A, y = np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 1, 0, 1]
        >>> result = bn.solve(bn.LogisticRegression(A, y, l2=1.0))
        >>> result.x.round(3), result.predict(np.array([[2.5]]))
        (array([ 0.453, -0.679]), array([1]))
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

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        y: (n,), labels of two classes.
        lam: the weight of the penalty, a number >= 0 or one a column.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A, y = np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 1, 0, 1]
        >>> bn.solve(
        ...     bn.SparseLogisticRegression(A, y, lam=0.1, intercept=True)
        ... ).x.round(3)
        array([ 0.795, -1.193])
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

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        y: (n,), labels of two or more classes.
        l2: the weight of the penalty, a number >= 0 or one a column.
        classes: the number of classes, where some may be absent; None: those of y.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A, y = np.array([[0.0], [1.0], [2.0], [3.0]]), ["a", "b", "b", "c"]
        >>> result = bn.solve(bn.SoftmaxRegression(A, y, l2=0.1))
        >>> result.predict(np.array([[0.0], [3.0]]))
        array(['a', 'c'], dtype='<U1')
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

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        y: (n,), counts >= 0.
        l2: the weight of the penalty, a number >= 0 or one a column.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A, y = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 2.0, 6.0])
        >>> bn.solve(bn.PoissonRegression(A, y, l2=0.1)).x.round(3)
        array([ 0.931, -0.103])
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

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        delta: from which residual on the loss is linear, > 0, in the unit of b.
        l2: the weight of the penalty, a number >= 0 or one a column.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(
        ...     bn.HuberRegression(A, b, delta=0.5, l2=0.1, intercept=False)
        ... ).x.round(3)
        array([1.145, 1.483])
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

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        y: (n,), labels of two classes.
        l2: the weight of the penalty, a number >= 0 or one a column.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A, y = np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 1, 0, 1]
        >>> bn.solve(
        ...     bn.SquaredHingeClassifier(A, y, l2=1.0, intercept=True)
        ... ).x.round(3)
        array([ 0.333, -0.5  ])
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

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        lam: the weight of the penalty, a number >= 0 or one a group.
        groups: one label a column, or tuples of indices of columns.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.GroupLasso(A, b, lam=0.1, groups=[0, 0])).x.round(3)
        array([1.155, 1.491])
    """
    return _model(
        A, b, SquaredLoss(), GroupL2(lam, groups), intercept=intercept, **data
    )


@stackable
@door(also=OPTIONS)
def SparseGroupLasso(
    A: Matrix,
    b: Column,
    l1: Reals,
    lam: Reals,
    groups: ArrayLike | Sequence[Sequence[int]],
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 + l1 ||c||_1 + sum_g lam_g ||c_g||_2.

    `groups`: one label a column, or tuples of indices. Not in scikit-learn. R's SGL
    (lambda, alpha), of a mean: l1 = n alpha lambda, lam_g = n (1 - alpha) lambda
    sqrt(p_g), p_g the size of the group.

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        l1: the weight of the l1 norm, a number >= 0 or one a column.
        lam: the weight of the group norms, a number >= 0 or one a group.
        groups: one label a column, or tuples of indices of columns.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.SparseGroupLasso(A, b, 0.1, 0.1, groups=[0, 0])).x.round(3)
        array([1.123, 1.49 ])
    """
    term = SparseGroupL2(l1, lam, groups)
    return _model(A, b, SquaredLoss(), term, intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def SlopeRegression(
    A: Matrix,
    b: Column,
    lam: Reals,
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 + sum_i lam_i |c|_(i), |c|_(1) >= |c|_(2) >= ...

    Not in scikit-learn. Weights that control the false discovery rate at q where the
    columns are orthonormal and the noise is s: lam_i = s norm.ppf(1 - i q / (2 p)).

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        lam: p weights in decreasing order, one a rank; a number is an l1 norm.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.SlopeRegression(A, b, lam=[1.0, 0.5])).x.round(3)
        array([1.25, 1.25])
    """
    return _model(A, b, SquaredLoss(), SortedL1(lam), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def FusedLasso(
    A: Matrix,
    b: Column,
    l1: Real,
    tv: Real,
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 + l1 ||c||_1 + tv sum_j |c_{j+1} - c_j|.

    The columns stand in an order. Not in scikit-learn.

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        l1: the weight of the entries, a number >= 0.
        tv: the weight of the steps between neighbours, a number >= 0.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.FusedLasso(A, b, l1=0.1, tv=0.2)).x.round(3)
        array([1.343, 1.343])
    """
    return _model(A, b, SquaredLoss(), FusedL1(l1, tv), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def ScadRegression(
    A: Matrix,
    b: Column,
    lam: Reals,
    a: Real = 3.7,
    scale: Real = 1.0,
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 + scale sum_j SCAD_{lam,a}(|c_j|). Not convex.

    Certified is that the answer is stationary: no bound of its distance to the best
    value exists. R's ncvreg(lambda, gamma) is of a mean: the same lam and a = gamma,
    with scale = n and columns standardised as there. Not in scikit-learn.

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        lam: the slope at 0 over `scale`, and from which |c_j| on the penalty bends.
        a: where it is flat, in units of lam, > 2.
        scale: what the penalty is multiplied by, > 0; n for the lam of a mean.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.ScadRegression(A, b, lam=0.1, scale=3.0)).x.round(3)
        array([1.167, 1.5  ])
    """
    return _model(A, b, SquaredLoss(), SCAD(lam, a, scale), intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def McpRegression(
    A: Matrix,
    b: Column,
    lam: Reals,
    gamma: Real = 3.0,
    scale: Real = 1.0,
    *,
    intercept: bool = False,
    **data: Unpack[RowOptions],
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 + scale sum_j MCP_{lam,gamma}(|c_j|). Not convex.

    Certified is that the answer is stationary: no bound of its distance to the best
    value exists. R's ncvreg(lambda, gamma) is of a mean: the same lam and gamma, with
    scale = n and columns standardised as there. Not in scikit-learn.

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        lam: the slope at 0 over `scale`.
        gamma: where the penalty is flat, in units of lam, > 0.
        scale: what the penalty is multiplied by, > 0; n for the lam of a mean.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.McpRegression(A, b, lam=0.1, scale=3.0)).x.round(3)
        array([1.167, 1.5  ])
    """
    term = MCP(lam, gamma, scale)
    return _model(A, b, SquaredLoss(), term, intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def NonnegativeLeastSquares(
    A: Matrix, b: Column, *, intercept: bool = False, **data: Unpack[RowOptions]
) -> GLM:
    """minimise 1/2 ||A c + b0 - b||^2 over c >= 0.

    scipy.optimize.nnls(A, b), sklearn.linear_model.LinearRegression(positive=True).

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.NonnegativeLeastSquares(A, -b)).x
        array([0., 0.])
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

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        lower, upper: numbers, or one a column; -inf and inf where there is no side.
        intercept: whether a constant is fitted beside, never penalised.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Returns:
        GLM: the problem; with `.stack` many of them at once.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.BoxLeastSquares(A, b, 0.0, 1.0)).x.round(3)
        array([1., 1.])
    """
    term = Box(lower, upper)
    return _model(A, b, SquaredLoss(), term, intercept=intercept, **data)


@stackable
@door(also=OPTIONS)
def SimplexLeastSquares(
    A: Matrix, b: Column, radius: Real = 1.0, **data: Unpack[RowOptions]
) -> GLM:
    """minimise 1/2 ||A c - b||^2 over c >= 0, sum c = radius. Not in scikit-learn.

    Args:
        A: (n, p): an array, a sparse matrix or a table.
        b: (n,), the targets, in any unit.
        radius: what the coefficients sum to, > 0.
        data: `sample_weight`, a weight >= 0 for each row; `offset`, a known part of
            each prediction; `columns`, names where A is an array.

    Raises:
        Misuse: data that do not fit, NaN, weights out of range, each with the cure.

    Example:
        >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
        >>> b = np.array([1.0, 3.0, 4.0])
        >>> bn.solve(bn.SimplexLeastSquares(A, b)).x.round(3)
        array([0., 1.])
    """
    return _model(A, b, SquaredLoss(), Simplex(radius), **data)
