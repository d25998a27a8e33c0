"""BO-REP: Hao, Gong and Liu (2024), for the mean of several lower problems."""

import jax
import numpy as np
from reference import _bilevel
from reference._case import Case

from banach.methods.bilevel._block_estimators import draw_rows


def _case(problem, told=None, **given):
    """The rows that init and each step draw go to the reference alone."""
    every = given | (told or {})

    def rows(key):
        drawn = draw_rows(key, problem.counts()[0], every["batch"], _bilevel.N)
        return np.asarray(drawn)

    def run(key, count):
        return [rows(jax.random.fold_in(key, j)) for j in range(count)]

    def drawn(keys):
        refining = [
            run(jax.random.fold_in(keys[0], e), every["first_epoch"] * 2**e)
            for e in range(every["epochs"])
        ]
        split = [jax.random.split(k, 4) for k in keys[1:]]
        return {
            "refining": refining,
            "updating": [run(k[0], every["updates"]) for k in split],
            "drawn": [[rows(k) for k in ks[1:]] for ks in split],
        } | (told or {})

    return Case(problem, _bilevel.with_start(problem), given, drawn, steps=9)


_small = {"batch": 4, "period": 2, "updates": 3, "epochs": 2, "first_epoch": 2}
_steps = {"eta": 0.05, "lower_step": 0.1, "nu": 0.2, "beta": 0.8}
_own = {"eta": 0.05 * 3**0.5, "lower_step": 0.25 / 5, "nu": 0.25 / 5, "beta": 0.9}
_own |= {"half_life": 200.0, "radius": np.inf, "batch": 32, "period": 2}
_own |= {"updates": 5, "epochs": 5, "first_epoch": 10}
CASES = [
    _case(_bilevel.problem(), **_steps, **_small, radius=0.05, half_life=5.0),
    _case(_bilevel.problem(), **_steps, **_small, radius=1e3, half_life=np.inf),
    _case(_bilevel.problem(lower_L=5.0), _own),
]


def iterates(
    o, _, steps, *, eta, lower_step, nu, beta, half_life, radius, period, refining,
    updating, drawn, **sizes,
):  # fmt: skip
    """`refining[e][j]`, `updating[k][j]`, `drawn[k] = (upper, hvp, cross)`: rows."""
    x, y = o.x0, o.y0
    m, z, mom, out = len(y), np.zeros_like(y), np.zeros_like(x), []

    def sgd(y, all_rows, rate, radius):
        w, seen = y, []
        for rows in all_rows:
            g = np.array([o.lower_grad(x, w[i], i, rows[i]) for i in range(m)])
            away = w - rate * g - y
            w = y + away * min(1, radius / np.linalg.norm(away))
            seen.append(w)
        return seen

    for e, rows in enumerate(refining):
        y = np.mean(sgd(y, rows, lower_step / 2**e, radius / 2 ** (e / 2)), axis=0)
    for k, (up, hv, cr) in enumerate(drawn):
        if k > 0 and k % period == 0:
            y = sgd(y, updating[k], lower_step, radius)[-1]
        fx, fy = zip(*(o.upper_grad(x, y[i], i, up[i]) for i in range(m)), strict=True)
        Hz = np.array([o.lower_hvp(x, y[i], z[i], i, hv[i]) for i in range(m)])
        z = z - nu * (Hz - np.array(fy))
        Gz = np.mean([o.cross(x, y[i], z[i], i, cr[i]) for i in range(m)], axis=0)
        mom = beta * mom + (1 - beta) * (np.mean(fx, axis=0) - Gz)
        x = x - eta / 2 ** (k / half_life) * mom / np.linalg.norm(mom)
        out.append(np.concatenate([x, y.ravel()]))
    return out
