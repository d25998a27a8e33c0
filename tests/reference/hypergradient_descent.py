"""Hypergradient descent with exact inner solves and Barzilai-Borwein trials."""

import numpy as np


def iterates(phi, grad, x, steps, step_size):
    """phi and grad are Phi and its gradient; a failed trial is solved again once."""
    f, p, s, again, out = phi(x), grad(x), step_size, False, []
    for _ in range(steps):
        if again:
            again = False
        else:
            trial = x - s * p
            f_new, p_new = phi(trial), grad(trial)
            slope, along = p @ p, p_new @ p
            if f_new <= f - 1e-4 * s * slope:
                bent = slope - along
                s = s * (slope / bent if bent > 0.1 * slope else 10)
                x, f, p = trial, f_new, p_new
            else:
                s, again = s / 2, True
        out.append(np.array(x))
    return out
