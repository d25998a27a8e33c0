"""What a user hands to a convex ReLU program, read once and checked."""

from typing import Any

import numpy as np

from banach.core import compat, validation
from banach.core.problem import Misuse
from banach.kinds.convex_relu import patterns as relu_patterns
from banach.kinds.convex_relu.patterns import Patterns
from banach.kinds.glm import inputs as glm_inputs
from banach.kinds.glm.loss import Loss
from banach.kinds.glm.losses import SoftmaxLoss


def check_loss(loss: Any) -> None:
    """A loss of one number with bounded curvature."""
    if not isinstance(loss, Loss):
        raise Misuse(
            f"ConvexRelu needs a loss, got {type(loss).__name__}; e.g. SquaredLoss()"
        )
    if isinstance(loss, SoftmaxLoss) or loss.curvature_bound is None:
        raise Misuse(
            f"{type(loss).__name__} is not supported: the network has one output and "
            "the loss needs bounded curvature; use SquaredLoss, HuberLoss, "
            "SquaredHingeLoss or LogisticLoss"
        )


def positive(value: Any, name: str, dtype: Any) -> Any:
    """One positive finite number in the dtype of the data."""
    value = validation.number(value, name, low="positive")
    if compat.is_tracer(value):
        return value
    # Again where it was rounded: the formula sees the dtype of the data.
    return validation.number(np.asarray(value).astype(dtype), name, low="positive")


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
            raise Misuse(
                "patterns must be a number, 'all' or rows of 0 and 1, got "
                f"{asked!r}; e.g. 50"
            )
        return relu_patterns.enumerated(X), "all"
    seed = validation.integer(seed, "seed", low=0)
    if asked is None or np.ndim(asked) == 0:
        count = validation.integer(asked, "patterns", low=1)
        found = relu_patterns.sampled(X, count, seed, eps)
        if not len(found.masks):
            raise Misuse(
                "no sampled pattern has a cone with an interior"
                + (f" when X moves by eps={eps:g}; lower eps" if eps else "")
            )
        return found, "sampled"
    if not glm_inputs.known(asked):
        raise Misuse("patterns are being traced; pass concrete rows of 0 and 1")
    rows = validation.datum(asked, "patterns")
    return relu_patterns.given(X, np.asarray(rows), eps), "given"
