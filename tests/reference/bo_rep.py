"""BO-REP: Hao, Gong and Liu (2024), for the mean of several lower problems."""

import jax
import numpy as np
from reference import _bilevel

_small = {"batch": 4, "period": 2, "updates": 3, "epochs": 2, "first_epoch": 2}
_steps = {"eta": 0.05, "lower_step": 0.1, "nu": 0.2, "beta": 0.8, **_small}
_own = {"eta": 0.05 * 3**0.5, "lower_step": 0.25 / 5, "nu": 0.25 / 5, "beta": 0.9}
_own |= {"half_life": 200.0, "radius": np.inf, "batch": 32, "period": 2}
_own |= {"updates": 5, "epochs": 5, "first_epoch": 10}
CASES = [
    _bilevel.case(_bilevel.problem(), 9, **_steps, radius=0.05, half_life=5.0),
    _bilevel.case(_bilevel.problem(), 9, **_steps, radius=1e3, half_life=np.inf),
    _bilevel.case(_bilevel.problem(lower_L=5.0), 9, lambda: _own),
]


def iterates(
    o, _, steps, *, keys, eta, lower_step, nu, beta, half_life, radius, batch, period,
    updates, epochs, first_epoch,
):  # fmt: skip
    x, y, out = o.x0, o.y0, []
    m, z, mom = len(y), np.zeros_like(y), np.zeros_like(x)

    def sgd(y, key, count, rate, radius):
        w, seen = y, []
        for j in range(count):
            rows = _bilevel.drawn(jax.random.fold_in(key, j), m, batch)
            g = np.array([o.lower_grad(x, w[i], i, rows[i]) for i in range(m)])
            away = w - rate * g - y
            w = y + away * min(1, radius / np.linalg.norm(away))
            seen.append(w)
        return seen

    for e in range(epochs):
        key, rate, ball = jax.random.fold_in(keys[0], e), 2.0**-e, 2.0 ** (-e / 2)
        y = sgd(y, key, first_epoch * 2**e, rate * lower_step, ball * radius)
        y = np.mean(y, axis=0)
    for k in range(steps):
        first, *others = jax.random.split(keys[k + 1], 4)
        up, hv, cr = (_bilevel.drawn(key, m, batch) for key in others)
        if k > 0 and k % period == 0:
            y = sgd(y, first, updates, lower_step, radius)[-1]
        fx, fy = zip(*(o.upper_grad(x, y[i], i, up[i]) for i in range(m)), strict=True)
        Hz = np.array([o.lower_hvp(x, y[i], z[i], i, hv[i]) for i in range(m)])
        z = z - nu * (Hz - np.array(fy))
        Gz = np.mean([o.cross(x, y[i], z[i], i, cr[i]) for i in range(m)], axis=0)
        mom = beta * mom + (1 - beta) * (np.mean(fx, axis=0) - Gz)
        x = x - eta / 2 ** (k / half_life) * mom / np.linalg.norm(mom)
        out.append(np.concatenate([x, y.ravel()]))
    return out
