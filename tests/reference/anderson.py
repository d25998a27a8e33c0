"""Anderson acceleration: Walker and Ni (2011), the unconstrained form of section 2."""

import numpy as np
from reference._case import Case
from reference._sine import sine

CASES = [
    Case(*sine(0.95), told={"memory": 5, "cutoff": 1e-10}),
    # So high that some differences are dropped, and others nearly.
    Case(*sine(0.95), given={"memory": 3, "cutoff": 0.05}),
]
EXEMPT = {"real(1e-10": "what it drops is rounding; a high one is felt above"}


def iterates(T, x0, steps, *, memory, cutoff):
    x, G, F, out = x0, [], [], []
    for _ in range(steps):
        g = T(x)
        G, F = [*G, g][-memory - 1 :], [*F, g - x][-memory - 1 :]
        x = g
        if len(F) > 1:
            df, dg = np.diff(np.array(F), axis=0).T, np.diff(np.array(G), axis=0).T
            x = g - dg @ np.linalg.lstsq(df, F[-1], rcond=cutoff)[0]
        out.append(x)
    return out
