"""The currency of start, answer, check and optimality."""

import equinox as eqx
from jaxtyping import PyTree

from banach.core.door import Made


class Point(eqx.Module, metaclass=Made):
    """A candidate answer: primal variable and, where it exists, a dual one.

    `x` has the structure of `problem.space()`. `dual` is an offer: a check
    re-evaluates it and never believes it. For saddle problems x = (x, y).

    Args:
        x: like `problem.space()`.
        dual: multipliers, or None.

    Example:
        >>> result = bn.solve(bn.Ridge(np.eye(2), np.ones(2), l2=1.0))
        >>> result.point.x.round(4), bn.Point(np.zeros(2)).dual is None
        (array([0.5, 0.5]), True)
    """

    x: PyTree
    dual: PyTree | None = None
