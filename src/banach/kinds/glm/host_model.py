"""A linear model as plain NumPy: for methods that run on the host, of changing size."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from banach.core import unchanged
from banach.kinds.glm import bounds, design, losses
from banach.terms.norms import Zero

Rows = Float[np.ndarray, " n"]


class HostModel(NamedTuple):
    """sum_i w_i l(<a_i, c> + b + o_i, y_i) + sum_j l1_j |c_j| + l2_j c_j^2 / 2.

    A: (n, p), an array or a CSC array of SciPy's. weight, offset: (n,). value, slope
    and bend are l, l' and l'' of the margins, (n,) to (n,). `constant`: whether l'' is
    1 everywhere. l1, l2: (p,).
    """

    A: Any
    weight: Rows
    offset: Rows
    intercept: bool
    l1: Float[np.ndarray, " p"]
    l2: Float[np.ndarray, " p"]
    value: Callable[[Rows], Rows]
    slope: Callable[[Rows], Rows]
    bend: Callable[[Rows], Rows]
    constant: bool


def without(problem: Any) -> str | None:
    """What keeps a model from being one of these, with the cure, or None."""
    cure = "banach methods --problem GLM names others"
    if type(problem.loss) not in _LOSSES:
        name = type(problem.loss).__name__
        return f"the margins of {name} are no single numbers: {cure}"
    if _weights(problem.term) is None:
        name = type(problem.term).__name__
        return f"the term {name} is no l1 norm or elastic net: {cure}"
    return None


def of(problem: Any) -> HostModel:
    """The model in float64; see `without`."""
    bits = tuple(jax.tree.leaves(problem.A))
    A, one = unchanged.found("host data", bits, lambda: _data(problem.A), True)
    n, p = A.shape
    pair = _weights(problem.term) or (0.0, 0.0)
    l1, l2 = (np.broadcast_to(np.asarray(v, np.float64), (p,)) for v in pair)
    zero = np.zeros(n)
    weight = one if problem.weight is None else np.asarray(problem.weight, np.float64)
    offset = zero if problem.offset is None else np.asarray(problem.offset, np.float64)
    made = _LOSSES[type(problem.loss)]
    value, slope, bend = made(np.asarray(problem.y, np.float64), problem.loss)
    constant = isinstance(problem.loss, losses.SquaredLoss)
    return HostModel(
        A, weight, offset, problem.intercept, l1, l2, value, slope, bend, constant
    )


def _data(A: Any) -> tuple[Any, Rows]:
    """The matrix, and a weight of 1 for each row."""
    made = design.host(A, np.float64)
    made = made if isinstance(made, np.ndarray) else made.tocsc()
    return made, np.ones(made.shape[0])


def _weights(term: Any) -> tuple[Any, Any] | None:
    if isinstance(term, Zero):
        return 0.0, 0.0
    l1, l2 = bounds.term_weights(term)
    if l1 is None and l2 is None:
        return None
    return (0.0 if l1 is None else l1), (0.0 if l2 is None else l2)


def _squared(y: Rows, loss: Any) -> Any:
    return lambda z: (z - y) ** 2 / 2, lambda z: z - y, np.ones_like


def _huber(y: Rows, loss: Any) -> Any:
    d = float(loss.delta)

    def value(z: Rows) -> Rows:
        r = abs(z - y)
        cut = np.minimum(r, d)
        return cut * (r - cut / 2)

    return value, lambda z: np.clip(z - y, -d, d), lambda z: 1.0 * (abs(z - y) <= d)


def _logistic(y: Rows, loss: Any) -> Any:
    from scipy.special import expit  # no command that only reads models pays for it

    return (
        lambda z: np.logaddexp(0, -y * z),
        lambda z: -y * expit(-y * z),
        lambda z: expit(z) * expit(-z),
    )


def _squared_hinge(y: Rows, loss: Any) -> Any:
    return (
        lambda z: np.maximum(1 - y * z, 0) ** 2 / 2,
        lambda z: -y * np.maximum(1 - y * z, 0),
        lambda z: 1.0 * (y * z < 1),
    )


def _poisson(y: Rows, loss: Any) -> Any:
    return lambda z: np.exp(z) - y * z, lambda z: np.exp(z) - y, np.exp


_LOSSES: dict[Any, Any] = {
    losses.SquaredLoss: _squared,
    losses.HuberLoss: _huber,
    losses.LogisticLoss: _logistic,
    losses.SquaredHingeLoss: _squared_hinge,
    losses.PoissonLoss: _poisson,
}
