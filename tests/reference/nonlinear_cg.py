"""CG_DESCENT: Hager and Zhang (2005), equations 1.5-1.7, on a quadratic.

There the search has a closed form; its first trial is their step I0, later ones expect
the decrease of the step before (Nocedal and Wright 2006, equation 3.60).
"""

import numpy as np
from reference._case import Case, bowl
from reference._quadratic_search import length

CASES = [
    Case(*bowl(scale=0.1), told={"curvature": 0.1}, steps=5),
    Case(*bowl(scale=0.2), told={"curvature": 0.1}, steps=5),
    Case(*bowl(), given={"curvature": 0.6}),
]
EXEMPT = {
    "jnp.minimum(0.01": "this floor is so low that it binds on no quadratic tried",
}


def iterates(oracles, x0, steps, *, curvature):
    def beta(g, y, old, d):
        value = (y - 2 * d * (y @ y) / (d @ y)) @ g / (d @ y)
        return max(value, -1 / (np.linalg.norm(d) * min(0.01, np.linalg.norm(old))))

    return conjugate(oracles, x0, steps, curvature, beta)


def conjugate(oracles, x0, steps, curvature, beta):
    """Conjugate gradients with any beta(g+, y, g, d)."""
    x, g, out = x0, oracles.grad(x0), []
    d, a = -g, 0.01 * np.max(np.abs(x0)) / np.max(np.abs(g))
    for _ in range(steps):
        slope = g @ d
        a = length(oracles, x, d, a, decrease=0.1, curvature=curvature)
        x, old = x + a * d, g
        g = oracles.grad(x)
        d = -g + beta(g, g - old, old, d) * d
        a = a * slope / (g @ d)
        out.append(x)
    return out
