"""What references of methods for F(x) = 0 share: equations in units of their terms."""

import numpy as np


def weighted(oracles, x):
    """F and its Jacobian, each row over the sizes of its terms at the start x."""
    w = np.abs(oracles.residual(x)) + np.abs(oracles.jacobian(x)) @ np.abs(x)
    return lambda v: oracles.residual(v) / w, lambda v: oracles.jacobian(v) / w[:, None]
