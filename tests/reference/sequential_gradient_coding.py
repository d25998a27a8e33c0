"""Gradient descent on as many models as a job's delay in rounds, plus one."""

import numpy as np


def iterates(oracles, x0, steps, *, gamma, spread, lanes):
    models = [np.array(x0) for _ in range(lanes)]
    sizes = [np.inf] * lanes
    waiting, out = {}, []
    for t in range(steps):
        waiting[t % lanes] = oracles.grad(models[t % lanes])  # begun now
        lane = (t + 1) % lanes  # complete before this lane's next turn
        if t + 1 >= lanes:
            g = waiting[lane]
            models[lane] = models[lane] - gamma * (1 + spread * lane / lanes) * g
            sizes[lane] = np.linalg.norm(g)
        out.append(models[int(np.argmin(sizes))])
    return out
