"""A smooth contraction that several references share."""

import jax.numpy as jnp
import numpy as np

from banach.kinds.fixed_point.problem import FixedPoint

_rng = np.random.default_rng(1)
_W, _B = _rng.standard_normal((8, 8)), _rng.standard_normal(8)
_W /= np.linalg.norm(_W, 2)


def sine(q, **facts):
    """sin(W x + b), which contracts by q, of 8 unknowns: (problem, T)."""

    def T(x, W, b):
        return jnp.sin(jnp.matmul(W, x, precision="highest") + b)

    problem = FixedPoint(T, np.ones(8), (q * _W, _B), **facts)
    return problem, lambda x: np.sin(q * _W @ x + _B)
