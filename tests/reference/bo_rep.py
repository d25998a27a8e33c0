"""BO-REP: Hao, Gong and Liu (2024), for the mean of several lower problems."""

import numpy as np


def iterates(o, x, y, hyper, refining, updating, drawn):
    """`refining[e][j]`, `updating[k][j]`, `drawn[k] = (upper, hvp, cross)`: rows."""
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
        rate, radius = hyper["lower_step"] / 2**e, hyper["radius"] / 2 ** (e / 2)
        y = np.mean(sgd(y, rows, rate, radius), axis=0)
    for k, (up, hv, cr) in enumerate(drawn):
        if k > 0 and k % hyper["period"] == 0:
            y = sgd(y, updating[k], hyper["lower_step"], hyper["radius"])[-1]
        fx, fy = zip(*(o.upper_grad(x, y[i], i, up[i]) for i in range(m)), strict=True)
        Hz = np.array([o.lower_hvp(x, y[i], z[i], i, hv[i]) for i in range(m)])
        z = z - hyper["nu"] * (Hz - np.array(fy))
        Gz = np.mean([o.cross(x, y[i], z[i], i, cr[i]) for i in range(m)], axis=0)
        mom = hyper["beta"] * mom + (1 - hyper["beta"]) * (np.mean(fx, axis=0) - Gz)
        x = x - hyper["eta"] * mom / np.linalg.norm(mom)
        out.append(x)
    return out
