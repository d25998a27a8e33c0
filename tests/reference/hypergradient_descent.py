"""Hypergradient descent with exact inner solves and Barzilai-Borwein trials."""

import numpy as np
from reference import _bilevel
from reference._case import Case

CASES = [
    Case(_bilevel.problem(), _bilevel.whole(), {"tolerance": 1e-14} | given, steps=9)
    for given in ({"step_size": 0.3}, {"step_size": 300.0}, {})
]
_tested = "a test of acceptance that exact solves pass by far: tests of the method"
EXEMPT = {
    "tolerance": "below rounding here, as exact solves need it",
    "decay": "of a tolerance that is below rounding here",
    "tol = jnp.maximum(tol": "what rounding leaves of exact solves",
    "lower = value <= old.value": _tested,
    "level = jnp.abs": _tested,
    "flat = level": _tested,
    "blur = ": "only where an inner solve failed",
}


def iterates(o, _, steps, *, step_size=1.0, tolerance):
    x, s, again, out = o.x0, step_size, False, []
    f, p, y = o.phi(x)
    for _ in range(steps):
        if again:
            again = False
        else:
            trial = x - s * p
            f_new, p_new, y_new = o.phi(trial)
            slope, along = p @ p, p_new @ p
            if f_new <= f - 1e-4 * s * slope:
                bent = slope - along
                s = s * (slope / bent if bent > 0.1 * slope else 10)
                x, f, p, y = trial, f_new, p_new, y_new
            else:
                s, again = s / 2, True
        out.append(np.concatenate([x, y.ravel()]))
    return out
