"""Powell's bent path, for references of methods that walk along it."""

import numpy as np


def bent(cauchy, newton, radius):
    """The point of 0 -> cauchy -> newton that is `radius` away from 0, or newton."""
    if np.linalg.norm(newton) <= radius:
        return newton
    if np.linalg.norm(cauchy) >= radius:
        return radius / np.linalg.norm(cauchy) * cauchy
    way = newton - cauchy
    square = [way @ way, 2 * cauchy @ way, cauchy @ cauchy - radius**2]
    return cauchy + np.roots(square).real.max() * way
