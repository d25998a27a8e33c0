"""What the claims of this family share: networks and linear models on real data."""

from typing import Any

import numpy as np

from banach.kinds.finite_sum.problem import FiniteSum
from banach.zoo import datasets

L2 = 1e-3


def network() -> FiniteSum:
    """The zoo's network on digits, as a sum (it has no train mode of its own)."""
    from banach.kinds.finite_sum import zoo as sums

    return sums.load("training:digits").sum


def softmax(name: str) -> FiniteSum:
    """Mean multinomial logistic loss of a data set, l2 = 1e-3, intercept."""
    import banach as bn

    data = getattr(datasets, name)()
    A = data.A / 16 if name == "digits" else datasets.standardised(data.A)
    model = bn.SoftmaxRegression(A, data.y, L2 * len(data.y))
    return model.as_finite_sum()


def steps_for(problem: Any, passes: float, batch: int) -> int:
    """Steps of a batch size that make so many passes."""
    return int(np.ceil(passes * problem.n / batch))
