"""Special functions: the error function by Python's math, the others by SciPy.

SciPy's take 0.1 s to import, longer than the rest of many a first look, and its erfc
is far less accurate than the C library's (`banach.checks.rounding`).
"""

import importlib
import math
from typing import Any

import numpy as np

from banach.engine.interpret.table import dtype_of, result, rule


def _scipy(name: str) -> Any:
    """A function of scipy.special, imported when it is first called."""
    found: list[Any] = []

    def call(*args):
        if not found:
            found.append(getattr(importlib.import_module("scipy.special"), name))
        return found[0](*args)

    return call


_BY_MATH = {"erf": math.erf, "erfc": math.erfc}


@rule(*_BY_MATH)
def _error_function(eqn):
    one, dtype = _BY_MATH[eqn.primitive.name], dtype_of(eqn)

    def each(x):
        x = np.asarray(x)
        out = np.array([one(v) for v in x.ravel().tolist()], dtype)
        return out.reshape(x.shape)[()]

    return each


_SCIPY = {
    "erf_inv": "erfinv",
    "lgamma": "gammaln",
    "igamma": "gammainc",
    "igammac": "gammaincc",
    "regularized_incomplete_beta": "betainc",
    "zeta": "zeta",
    "polygamma": "polygamma",
    "bessel_i0e": "i0e",
    "bessel_i1e": "i1e",
}


@rule(*_SCIPY)
def _special(eqn):
    dtype, function = result(eqn).dtype, _scipy(_SCIPY[eqn.primitive.name])
    return lambda *args: np.asarray(function(*args)).astype(dtype, copy=False)[()]


@rule("digamma")
def _digamma(eqn):
    dtype, psi = dtype_of(eqn), _scipy("psi")
    nan = dtype.type(np.nan)
    # A pole from both sides has no value, of zero neither.
    return lambda x: np.where(x == 0, nan, psi(x))[()]
