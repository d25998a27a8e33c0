"""Elementary functions with proved digits, through python-flint (optional)."""

import numpy as np

try:
    import flint
except ImportError:
    flint = None

_BITS = 106


def points(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds on f(x) for float64 x from 106-bit ball arithmetic."""
    require()
    flat = [_bounds(name, float(v)) for v in np.asarray(x).ravel()]
    lo, hi = np.array(flat, np.float64).reshape(-1, 2).T
    return lo.reshape(x.shape), hi.reshape(x.shape)


def require() -> None:
    """Raise ImportError with the cure when python-flint is absent."""
    if flint is None:
        raise ImportError(
            'rigor="arb" needs python-flint, which is not installed: '
            'pip install python-flint, or use rigor="libm".'
        )


def _bounds(name: str, v: float) -> tuple[float, float]:
    if not np.isfinite(v):
        return np.nan, np.nan
    before = flint.ctx.prec
    flint.ctx.prec = _BITS
    try:
        ball = _evaluate(name, flint.arb(v))
        if not ball.is_finite():
            return np.nan, np.nan
        # lower() and upper() are exact; float() rounds them once, so step outwards.
        lo, hi = float(ball.lower()), float(ball.upper())
    finally:
        flint.ctx.prec = before
    return float(np.nextafter(lo, -np.inf)), float(np.nextafter(hi, np.inf))


def _evaluate(name: str, x):
    if name == "exp2":
        return flint.arb(2) ** x
    if name == "cbrt":
        return -((-x).root(3)) if x < 0 else x.root(3)
    return getattr(x, name)()
