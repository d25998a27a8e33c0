"""Ready constrained problems by name; listing them imports no jax.

The numbered ones are those of Hock and Schittkowski (1981), with their starts, which
are also the references.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from banach.zoo import datasets
from banach.zoo.registry import Shelf

_shelf = Shelf("Constrained")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


def _stated(f: Callable, x0: Any, **constraints: Any) -> Any:
    from banach.kinds.constrained.problem import Constrained

    x0 = np.array(x0, float)
    return Constrained(f, x0, reference=x0, **constraints)


def _rows(*values: Any) -> Any:
    import jax.numpy as jnp

    return jnp.stack(values)


@_named("constrained:hs6", "2 unknowns, a parabola; minimum 0 at (1, 1)")
def _hs6():
    return _stated(
        lambda x: (1 - x[0]) ** 2, [-1.2, 1], eq=lambda x: 10 * (x[1] - x[0] ** 2)
    )


@_named(
    "constrained:hs7", "2 unknowns, a quartic curve; minimum -sqrt(3) at (0, sqrt(3))"
)
def _hs7():
    import jax.numpy as jnp

    return _stated(
        lambda x: jnp.log(1 + x[0] ** 2) - x[1],
        [2, 2],
        eq=lambda x: (1 + x[0] ** 2) ** 2 + x[1] ** 2 - 4,
    )


@_named(
    "constrained:hs27",
    "3 unknowns, a parabolic cylinder in a curved valley; minimum 0.04",
)
def _hs27():
    return _stated(
        lambda x: 0.01 * (x[0] - 1) ** 2 + (x[1] - x[0] ** 2) ** 2,
        [2, 2, 2],
        eq=lambda x: x[0] + x[2] ** 2 + 1,
    )


@_named("constrained:hs39", "4 unknowns, 2 cubic equations; minimum -1 at (1, 1, 0, 0)")
def _hs39():
    return _stated(
        lambda x: -x[0],
        [2, 2, 2, 2],
        eq=lambda x: _rows(x[1] - x[0] ** 3 - x[2] ** 2, x[0] ** 2 - x[1] - x[3] ** 2),
    )


@_named("constrained:hs40", "4 unknowns, 3 polynomial equations; minimum -0.25")
def _hs40():
    return _stated(
        lambda x: -x[0] * x[1] * x[2] * x[3],
        [0.8] * 4,
        eq=lambda x: _rows(
            x[0] ** 3 + x[1] ** 2 - 1, x[0] ** 2 * x[3] - x[2], x[3] ** 2 - x[1]
        ),
    )


@_named(
    "constrained:hs71",
    "4 unknowns in [1, 5], an inequality and an equation; minimum 17.014",
)
def _hs71():
    import jax.numpy as jnp

    return _stated(
        lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2],
        [1, 5, 5, 1],
        eq=lambda x: x @ x - 40,
        ineq=lambda x: 25 - jnp.prod(x),
        lower=1.0,
        upper=5.0,
    )


@_named("constrained:hs78", "5 unknowns, 3 polynomial equations; minimum -2.91970")
def _hs78():
    import jax.numpy as jnp

    return _stated(
        jnp.prod,
        [-2, 1.5, 2, -1, -1],
        eq=lambda x: _rows(
            x @ x - 10, x[1] * x[2] - 5 * x[3] * x[4], x[0] ** 3 + x[1] ** 3 + 1
        ),
    )


@_named("constrained:hs79", "5 unknowns, 3 polynomial equations; minimum 0.0787768")
def _hs79():
    def f(x):
        return (
            (x[0] - 1) ** 2
            + (x[0] - x[1]) ** 2
            + (x[1] - x[2]) ** 2
            + (x[2] - x[3]) ** 4
            + (x[3] - x[4]) ** 4
        )

    def eq(x):
        return _rows(
            x[0] + x[1] ** 2 + x[2] ** 3 - 2 - 3 * 2**0.5,
            x[1] - x[2] ** 2 + x[3] + 2 - 2 * 2**0.5,
            x[0] * x[4] - 2,
        )

    return _stated(f, [2] * 5, eq=eq)


@_named(
    "constrained:logistic",
    "logistic regression of breast_cancer with A x = b and ||x|| = 1",
)
def _logistic():
    """Mean logistic loss, 569 x 30 standardised; 5 random rows A, and the sphere.

    b = A u with u a random unit vector, so that the constraints have a common point.
    The reference is 0, the start is all ones (far from the sphere).
    """
    import jax.numpy as jnp

    from banach.kinds.constrained.problem import Constrained

    data = datasets.breast_cancer()
    D, y = datasets.standardised(data.A), 2.0 * data.y - 1
    rng = np.random.default_rng(0)
    A, u = rng.standard_normal((5, 30)), rng.standard_normal(30)
    b = A @ (u / np.linalg.norm(u))

    def f(x, D, y):
        return jnp.mean(jnp.logaddexp(0.0, -y * (D @ x)))

    return Constrained(
        f,
        np.ones(30),
        (D, y),
        eq=lambda x, D, y: x @ x - 1,
        linear=(A, b),
        reference=np.zeros(30),
    )
