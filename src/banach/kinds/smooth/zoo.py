"""Classical test functions as problems, by name; listing them imports no jax.

`load("rosenbrock:40")` gives a problem of 40 unknowns. The reference of each is its
classical start, so tolerances are relative to the gradient there. Formulas: Moré,
Garbow and Hillstrom (1981), and the CUTEst collection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from banach.kinds.smooth.problem import Smooth

    Vector = Float[Array, " n"]


def rosenbrock(n: int = 2) -> Smooth:
    """sum 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2; minimum 0 at ones."""
    _at_least("rosenbrock", n, 2)

    import jax.numpy as jnp

    def f(x: Vector):
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x0 = np.where(np.arange(n) % 2 == 0, -1.2, 1.0)
    return _smooth(f, x0, reference=x0)


def quadratic(n: int = 10, condition: float = 1e4) -> Smooth:
    """1/2 x'Hx - b'x, eigenvalues from 1/condition to 1 in a rotated basis.

    The minimiser is ones. L and mu are declared a little outwards, so that they
    hold for the rounded matrix too.
    """
    _at_least("quadratic", n, 1)
    values = np.logspace(-np.log10(condition), 0, n) if n > 1 else np.ones(1)
    w = np.sin(np.arange(1.0, n + 1))
    w /= np.linalg.norm(w)
    Q = np.eye(n) - 2 * np.outer(w, w)
    H = Q * values @ Q
    H = (H + H.T) / 2
    b = H @ np.ones(n)

    def f(x: Vector, H, b):
        return 0.5 * x @ H @ x - b @ x

    L, mu = 1 + 1e-12 * n, values[0] - 1e-13 * n
    return _smooth(f, np.zeros(n), (H, b), L=L, mu=mu, reference=np.zeros(n))


def monkey_saddle(n: int = 2) -> Smooth:
    """x^3 - 3 x y^2 + sum of the other squares: flat at 0, which is no minimiser."""
    _at_least("monkey_saddle", n, 2)

    import jax.numpy as jnp

    def f(x: Vector):
        return x[0] ** 3 - 3 * x[0] * x[1] ** 2 + jnp.sum(x[2:] ** 2)

    x0 = np.full(n, 0.5)
    return _smooth(f, x0, reference=x0)


def logistic(n: int = 20) -> Smooth:
    """Mean logistic loss plus 0.01/2 ||x||^2 on generated data, 5 n samples."""
    _at_least("logistic", n, 1)
    draw = np.random.default_rng(n)
    A = draw.normal(size=(5 * n, n))
    y = np.where(A @ draw.normal(size=n) + draw.normal(size=5 * n) > 0, 1.0, -1.0)
    lam = 0.01

    import jax.numpy as jnp

    def f(x: Vector, A, y):
        return jnp.mean(jnp.logaddexp(0.0, -y * (A @ x))) + lam / 2 * x @ x

    # |A|_F^2 bounds the largest eigenvalue of A'A; the loss bends at most 1/4.
    L = float(np.sum(A**2)) / (4 * len(y)) * (1 + 1e-9) + lam
    return _smooth(f, np.zeros(n), (A, y), L=L, mu=lam, reference=np.zeros(n))


def ginzburg_landau(n: int = 357) -> Smooth:
    """Handwritten 3 or 8 on a graph of neighbours, every twentieth label known."""
    _at_least("ginzburg_landau", n, 40)
    if n > 357:
        raise _misuse(f"ginzburg_landau has at most 357 digits, got {n}")
    from banach.kinds.smooth import phase_field
    from banach.zoo import datasets

    A, y = datasets.digits()
    mine = np.flatnonzero((y == 3) | (y == 8))[:n]
    known = np.where(np.arange(n) % 20 == 0, np.where(y[mine] == 8, 1.0, -1.0), 0.0)
    return phase_field.ginzburg_landau(A[mine] / 16, known)


def powell_singular(n: int = 4) -> Smooth:
    """Powell's function of blocks of 4; minimum 0 at 0, singular Hessian there."""
    if n % 4:
        raise _misuse(f"powell_singular needs a multiple of 4 unknowns, got {n}")

    import jax.numpy as jnp

    def f(x: Vector):
        a, b, c, d = x[0::4], x[1::4], x[2::4], x[3::4]
        return jnp.sum(
            (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4
        )

    x0 = np.tile([3.0, -1.0, 0.0, 1.0], n // 4)
    return _smooth(f, x0, reference=x0)


def beale(n: int = 2) -> Smooth:
    """Beale's function of two variables; minimum 0 at (3, 0.5)."""
    _exactly("beale", n, 2)

    import jax.numpy as jnp

    def f(x: Vector):
        i = jnp.arange(1, 4)
        c = jnp.asarray([1.5, 2.25, 2.625], x.dtype)
        return jnp.sum((c - x[0] * (1 - x[1] ** i)) ** 2)

    x0 = np.ones(2)
    return _smooth(f, x0, reference=x0)


def brown_badly_scaled(n: int = 2) -> Smooth:
    """(x - 1e6)^2 + (y - 2e-6)^2 + (x y - 2)^2; minimum 0 at (1e6, 2e-6)."""
    _exactly("brown_badly_scaled", n, 2)

    def f(x: Vector):
        return (x[0] - 1e6) ** 2 + (x[1] - 2e-6) ** 2 + (x[0] * x[1] - 2) ** 2

    x0 = np.ones(2)
    return _smooth(f, x0, reference=x0)


def dixon_price(n: int = 10) -> Smooth:
    """(x_1 - 1)^2 + sum i (2 x_i^2 - x_{i-1})^2; minimum 0."""
    _at_least("dixon_price", n, 2)

    import jax.numpy as jnp

    def f(x: Vector):
        i = jnp.arange(2, n + 1, dtype=x.dtype)
        return (x[0] - 1) ** 2 + jnp.sum(i * (2 * x[1:] ** 2 - x[:-1]) ** 2)

    x0 = np.ones(n)
    return _smooth(f, x0, reference=x0)


def trigonometric(n: int = 10) -> Smooth:
    """Spedicato's trigonometric function; minimum 0, many stationary points."""
    _at_least("trigonometric", n, 1)

    import jax.numpy as jnp

    def f(x: Vector):
        i = jnp.arange(1, n + 1, dtype=x.dtype)
        r = n - jnp.sum(jnp.cos(x)) + i * (1 - jnp.cos(x)) - jnp.sin(x)
        return jnp.sum(r**2)

    x0 = np.full(n, 1.0 / n)
    return _smooth(f, x0, reference=x0)


FUNCTIONS: dict[str, Callable[..., Smooth]] = {
    f.__name__: f
    for f in (
        beale,
        brown_badly_scaled,
        dixon_price,
        ginzburg_landau,
        logistic,
        monkey_saddle,
        powell_singular,
        quadratic,
        rosenbrock,
        trigonometric,
    )
}


def names() -> list[dict[str, str]]:
    """Name, title and kind of every function; "name:n" sets the unknowns."""
    return [
        {
            "name": k,
            "title": (FUNCTIONS[k].__doc__ or "").split("\n")[0],
            "kind": "Smooth",
        }
        for k in sorted(FUNCTIONS)
    ]


def knows(name: str) -> bool:
    """Whether the name, without its number of unknowns, is one of these."""
    return name.partition(":")[0] in FUNCTIONS


def load(name: str) -> Smooth:
    """The problem "name" or "name:n" with n unknowns."""
    base, colon, size = name.partition(":")
    if base not in FUNCTIONS:
        raise _misuse(
            f"no function {base!r}; the functions are {', '.join(sorted(FUNCTIONS))}"
        )
    if not colon:
        return FUNCTIONS[base]()
    if not size.isdecimal():
        raise _misuse(f"{name!r}: write a number of unknowns, e.g. {base}:40")
    return FUNCTIONS[base](int(size))


def _at_least(name: str, n: int, low: int) -> None:
    if n < low:
        raise _misuse(f"{name} needs at least {low} unknowns, got {n}")


def _exactly(name: str, n: int, want: int) -> None:
    if n != want:
        raise _misuse(f"{name} has exactly {want} unknowns, got {n}")


def _smooth(*stated: Any, **facts: Any) -> Smooth:
    from banach.kinds.smooth.problem import Smooth

    return Smooth(*stated, **facts)


def _misuse(message: str) -> Exception:
    from banach.core.problem import Misuse

    return Misuse(message)
