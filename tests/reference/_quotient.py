"""How far F lets a first step go: 1 over its difference quotient along itself."""

import numpy as np


def length(oracles, z):
    """||h F|| over ||F(z - h F) - F||, h F being eps^(1/4) times as long as z."""
    F = oracles.operator(z)
    near = z - np.finfo(float).eps ** 0.25 * np.linalg.norm(z) / np.linalg.norm(F) * F
    return np.linalg.norm(near - z) / np.linalg.norm(oracles.operator(near) - F)
