"""Ready transport problems by name; listing them imports no jax."""

from collections.abc import Callable
from typing import Any

import numpy as np

from banach.zoo import datasets


def _grid() -> np.ndarray:
    return np.stack(np.divmod(np.arange(64), 8), axis=1).astype(float)


def digits() -> Any:
    """Two digits, 0 and 1, as histograms of 8 x 8 pixels, squared distances.

    Pixels without ink are dropped; eps is 0.01 of the median cost.
    """
    from banach.problems.transport import Transport

    data = datasets.digits()
    # The first image of each digit.
    first, second = (data.A[np.flatnonzero(data.y == d)[0]] for d in (0, 1))
    at = _grid()
    x, y = at[first > 0], at[second > 0]
    a, b = first[first > 0] / first.sum(), second[second > 0] / second.sum()
    C = np.sum((x[:, None] - y[None]) ** 2, axis=-1)
    return Transport(C, a, b, 0.01 * np.median(C))


def assignment() -> Any:
    """Uniform random costs between 100 and 100 equal masses, eps = 0.002."""
    from banach.problems.transport import Transport

    n = 100
    C = np.random.default_rng(5).random((n, n))
    return Transport(C, np.full(n, 1 / n), np.full(n, 1 / n), 2e-3)


def clouds() -> Any:
    """A mixture of Gaussians to another, 200 to 150 points, cost never stored."""
    from banach.problems.transport import Transport

    draw = np.random.default_rng(6)
    centres = np.array([[0.0, 0.0], [2.0, 1.0], [-1.0, 2.0]])
    x = draw.normal(size=(200, 2)) * 0.5 + centres[draw.integers(0, 3, 200)]
    y = draw.normal(size=(150, 2)) * 0.3 + centres[draw.integers(0, 2, 150)] + 1
    return Transport.points(x, y, eps=0.05)


_TABLE: dict[str, Callable[[], Any]] = {
    f"transport:{f.__name__}": f for f in (digits, assignment, clouds)
}


def names() -> list[dict[str, str]]:
    """Name, title and kind of every problem here."""
    return [
        {"name": k, "title": (f.__doc__ or "").split("\n")[0], "kind": "Transport"}
        for k, f in _TABLE.items()
    ]


def knows(name: str) -> bool:
    """Whether `load` has this name."""
    return name in _TABLE


def load(name: str) -> Any:
    """The problem of a name that `names` lists."""
    if name not in _TABLE:
        from banach.core.problem import Misuse

        raise Misuse(f"no problem is called {name!r}; it is one of {', '.join(_TABLE)}")
    return _TABLE[name]()
