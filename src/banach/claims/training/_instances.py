"""Sums to train on: logistic regressions of five tables, and a network."""

import functools
from typing import Any

from banach.claims import instances
from banach.kinds.glm.models import LogisticRegression
from banach.kinds.training import zoo

L2 = 1e-3


@functools.cache
def tables() -> dict[str, Any]:
    """Name -> (rows, labels); the last is fresh."""
    return {**instances.tables(), "fresh": instances.drawn_table()}


def logistic(A: Any, y: Any) -> Any:
    """Mean logistic loss, l2 = 1e-3, no intercept, as a sum."""
    return LogisticRegression(A, y, L2 * len(y), intercept=False).as_finite_sum()


@functools.cache
def sums() -> dict[str, Any]:
    """The logistic regressions, and the zoo's network on digits (no train mode)."""
    network = zoo.load("training:digits").sum
    return {**{k: logistic(*t) for k, t in tables().items()}, "network": network}
