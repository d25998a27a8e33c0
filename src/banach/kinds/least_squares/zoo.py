"""Ready fits by name; listing them imports no jax.

Puromycin: rates of an enzymatic reaction (counts / min / min) by concentration (ppm),
of Treloar (1974), printed in Bates and Watts, Nonlinear Regression Analysis (1988),
whose estimates are Vm = 212.7 and K = 0.0641.
"""

import numpy as np

from banach.zoo.registry import Shelf

_shelf = Shelf("NonlinearLeastSquares")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named
CONCENTRATION = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.10], 2)
RATE = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200], float)


@_named("fit:puromycin", "Michaelis-Menten rates of an enzyme, 12 observations")
def _puromycin():
    from banach.kinds.least_squares.problem import NonlinearLeastSquares

    def residual(x, concentration, rate):
        return x[0] * concentration / (x[1] + concentration) - rate

    start = np.array([205.0, 0.08])
    return NonlinearLeastSquares(residual, start, (CONCENTRATION, RATE), data=RATE)


@_named("fit:puromycin_bounded", "the same, K at least 0.08: a bound that holds")
def _bounded():
    """K is 0.08 then, and Vm the height of a linear fit."""
    from banach.kinds.least_squares.problem import NonlinearLeastSquares

    free = _puromycin()
    return NonlinearLeastSquares(
        free.fun, free.x0, free.args, data=RATE, lower=np.array([0.0, 0.08])
    )


@_named("fit:circle", "a circle through 6 points, by orthogonal distances")
def _circle():
    """Points and answer of Gander, Golub and Strebel (1994): centre, radius."""
    import jax.numpy as jnp

    from banach.kinds.least_squares.problem import NonlinearLeastSquares

    points = np.array([[1, 7], [2, 6], [5, 8], [7, 7], [9, 5], [3, 7]], float)

    def residual(x, points):
        away = points - x[:2]
        return jnp.sqrt(jnp.sum(away**2, axis=1)) - x[2]

    start = np.array([5.0, 4.0, 3.0])
    return NonlinearLeastSquares(residual, start, (points,), reference=start)
