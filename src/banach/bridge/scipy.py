"""Every method of scipy.optimize.minimize, streamed from its callback."""

import difflib
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import numpy as np

from banach.bridge import _oracles, _worker
from banach.core import compat, tree
from banach.core.card import method
from banach.core.method import HostMethod, Refusal
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.core.reform import Split, split

# What each algorithm is given, whether it takes bounds, and the options that turn
# its own stopping off, so that only the outside check ends the run.
_FAR = 10**9
ALGORITHMS: dict[str, dict[str, Any]] = {
    "Nelder-Mead": {
        "uses": ("value",),
        "bounds": True,
        "options": {"xatol": 0.0, "fatol": 0.0, "maxiter": _FAR, "maxfev": _FAR},
    },
    "Powell": {
        "uses": ("value",),
        "bounds": True,
        "options": {"xtol": 1e-15, "ftol": 0.0, "maxiter": _FAR, "maxfev": _FAR},
    },
    "CG": {"uses": ("grad",), "options": {"gtol": 0.0, "maxiter": _FAR}},
    "BFGS": {"uses": ("grad",), "options": {"gtol": 0.0, "maxiter": _FAR}},
    "Newton-CG": {"uses": ("grad", "hvp"), "options": {"xtol": 0.0, "maxiter": _FAR}},
    "L-BFGS-B": {
        "uses": ("grad",),
        "bounds": True,
        "options": {"ftol": 0.0, "gtol": 0.0, "maxiter": _FAR, "maxfun": _FAR},
    },
    "TNC": {
        "uses": ("grad",),
        "bounds": True,
        "options": {"ftol": 0.0, "gtol": 0.0, "xtol": 0.0, "maxfun": _FAR},
    },
    "COBYLA": {
        "uses": ("value",),
        "bounds": True,
        "options": {"tol": 1e-15, "maxiter": 10**6},
    },
    "COBYQA": {
        "uses": ("value",),
        "bounds": True,
        "options": {"final_tr_radius": 1e-15, "maxiter": 10**6, "maxfev": 10**6},
    },
    "SLSQP": {
        "uses": ("grad",),
        "bounds": True,
        "options": {"ftol": 1e-300, "maxiter": 10**6},
    },
    "trust-constr": {
        "uses": ("grad", "hess"),
        "bounds": True,
        "options": {"gtol": 0.0, "xtol": 0.0, "barrier_tol": 0.0, "maxiter": _FAR},
    },
    "dogleg": {"uses": ("grad", "hess"), "options": {"gtol": 0.0, "maxiter": _FAR}},
    "trust-ncg": {"uses": ("grad", "hvp"), "options": {"gtol": 0.0, "maxiter": _FAR}},
    "trust-exact": {
        "uses": ("grad", "hess"),
        "options": {"gtol": 0.0, "maxiter": _FAR},
    },
    "trust-krylov": {
        "uses": ("grad", "hvp"),
        "options": {"gtol": 0.0, "maxiter": _FAR},
    },
}
