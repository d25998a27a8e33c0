"""AdAdaGrad: Lau, Liu and Kolar (2024), with the norm and the coordinate test."""

import math

import numpy as np


def iterates(
    term_gradients, x0, draws, *, rate, eta, batch, most, initial, test, coordinatewise
):
    x, b, out, sizes = x0, batch, [], []
    v = np.full(x.shape, initial) if coordinatewise else initial
    for index in draws:
        sizes.append(b)
        rows = term_gradients(x)[index]
        g, var = rows.mean(axis=0), rows.var(axis=0, ddof=1)
        v = v + (g**2 if coordinatewise else g @ g)
        x = x - rate * g / np.sqrt(v)
        if test == "norm":
            need = var.sum() / (eta**2 * (g @ g))
        else:
            need = np.max(var / (eta * g) ** 2)
        if need > b:
            b = min(math.ceil(need), most)
        out.append(x)
    return out, sizes
