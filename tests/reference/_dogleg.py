"""Powell's bent path, for references of methods that walk along it."""

import numpy as np


def leg(A, r, radius):
    """Towards the least of ||A z + r|| along -A'r, then to its least, to `radius`."""
    newton = np.linalg.lstsq(A, -r)[0]
    if np.linalg.norm(newton) <= radius:
        return newton
    g = A.T @ r
    cauchy = -(g @ g / np.sum((A @ g) ** 2)) * g
    if np.linalg.norm(cauchy) >= radius:
        return -radius / np.linalg.norm(g) * g
    way = newton - cauchy
    square = [way @ way, 2 * cauchy @ way, cauchy @ cauchy - radius**2]
    return cauchy + np.roots(square).real.max() * way
