"""Schedule refinement: Defazio, Cutkosky, Mehta and Mishchenko (2023), SGD."""

import numpy as np


def refined(norms, width=0.2):
    T = len(norms)
    r = round(width * T) // 2
    padded = np.pad(norms, r, mode="reflect")
    G = np.array([np.median(padded[t : t + 2 * r + 1]) for t in range(T)])
    w = G**-2.0
    eta = np.array([w[t] * w[t + 1 :].sum() for t in range(T)])
    return eta / eta.max()


def iterates(term_gradients, x0, draws, *, peak, steps):
    eta, x, out, norms = refined(np.ones(steps)), x0, [], []
    for t, index in enumerate(draws):
        if t and t % steps == 0:
            eta, x, norms = refined(np.array(norms)), x0, []
        g = term_gradients(x)[index].mean(axis=0)
        norms.append(np.linalg.norm(g))
        x = x - peak * eta[t % steps] * g
        out.append(x)
    return out
