"""Anderson acceleration: Walker and Ni (2011), the unconstrained form of section 2."""

import numpy as np


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
