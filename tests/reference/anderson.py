"""Anderson acceleration: Walker and Ni (2011), the unconstrained form of section 2."""

import jax.numpy as jnp
import numpy as np
from reference._case import Case

from banach.kinds.fixed_point.problem import FixedPoint

_rng = np.random.default_rng(1)
W, B = _rng.standard_normal((8, 8)), _rng.standard_normal(8)
W *= 0.95 / np.linalg.norm(W, 2)


def sine():
    """sin(W x + b), a contraction of 8 unknowns: both parts."""

    def T(x, W, b):
        return jnp.sin(jnp.matmul(W, x, precision="highest") + b)

    return FixedPoint(T, np.ones(8), (W, B)), lambda x: np.sin(W @ x + B)


CASES = [
    Case(*sine(), told={"memory": 5, "cutoff": 1e-10}),
    # So high that some differences are dropped, and others nearly.
    Case(*sine(), given={"memory": 3, "cutoff": 0.05}),
]
EXEMPT = {"real(1e-10": "what it drops is rounding; a high one is felt above"}


def iterates(T, x0, steps, *, memory, cutoff):
    x, G, F, out = x0, [], [], []
    for _ in range(steps):
        g = T(x)
        G, F = [*G, g][-memory - 1 :], [*F, g - x][-memory - 1 :]
        if len(F) == 1:
            x = g
        else:
            df, dg = np.diff(np.array(F), axis=0).T, np.diff(np.array(G), axis=0).T
            c = np.linalg.lstsq(df, F[-1], rcond=cutoff)[0]
            x = g - dg @ c
        out.append(x)
    return out
