"""The currency of start, answer, check and optimality."""

import equinox as eqx
from jaxtyping import PyTree

from banach.core.door import Made


class Point(eqx.Module, metaclass=Made):
    """A candidate answer: primal variable and, where it exists, a dual one.

    `x` has the structure of `problem.space()`. `dual` is an offer: a check
    re-evaluates it and never believes it. For saddle problems x = (x, y).
    """

    x: PyTree
    dual: PyTree | None = None
