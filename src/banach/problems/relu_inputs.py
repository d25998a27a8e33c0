"""What a user hands to a convex ReLU program, read once and checked."""

from typing import Any

import numpy as np

from banach.core import compat
from banach.core.problem import Misuse
from banach.problems import glm_inputs, relu_patterns
from banach.problems.loss import Loss
from banach.problems.losses import Softmax
from banach.problems.relu_patterns import Patterns


def check_loss(loss: Any) -> None:
    """A loss of one number with bounded curvature."""
    if not isinstance(loss, Loss):
        raise Misuse(
            f"ConvexRelu needs a loss, got {type(loss).__name__}; e.g. LeastSquares()"
        )
    if isinstance(loss, Softmax) or loss.curvature_bound is None:
        raise Misuse(
            f"{type(loss).__name__} is not supported: the network has one output and "
            "the loss needs bounded curvature; use LeastSquares, Huber, SquaredHinge "
            "or Logistic"
        )


def positive(value: Any, name: str, dtype: Any) -> Any:
    """One positive finite number in the dtype of the data."""
    if np.ndim(value):
        raise Misuse(f"{name} must be one number, got shape {np.shape(value)}")
    if compat.is_tracer(value):
        return value
    number = np.asarray(value)
    if number.dtype.kind not in "iuf" or not (np.isfinite(number) and number > 0):
        raise Misuse(f"{name} must be positive and finite, got {value!r}")
    return number.astype(dtype)


def patterns(X: Any, asked: Any, seed: int, eps: float = 0.0) -> tuple[Patterns, str]:
    """Patterns and how they were chosen: "all", "sampled" or "given"."""
    if not glm_inputs.known(X):
        raise Misuse(
            "ConvexRelu reads its patterns from X, which is being traced; build it "
            "outside jit and vmap, and move its data with eqx.tree_at"
        )
    X = np.asarray(X, np.float64)
    if not X.any():
        raise Misuse("X is zero everywhere, no pattern tells its rows apart; check X")
    if isinstance(asked, str):
        if asked != "all":
            raise Misuse(f"patterns must be a number, 'all' or rows, got {asked!r}")
        return relu_patterns.enumerated(X), "all"
    if np.ndim(asked) == 0:
        count = asked
        if not isinstance(count, int | np.integer) or count < 1:
            raise Misuse(f"patterns must be at least 1, got {asked!r}; e.g. 50")
        found = relu_patterns.sampled(X, int(count), seed, eps)
        if not len(found.masks):
            raise Misuse(
                "no sampled pattern has a cone with an interior"
                + (f" when X moves by eps={eps:g}; lower eps" if eps else "")
            )
        return found, "sampled"
    return relu_patterns.given(X, asked, eps), "given"
