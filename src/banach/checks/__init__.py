"""Why believe an answer: the checks, by name. Importing this imports no check."""

import importlib
from typing import Any

# name -> (module, class); the quantities are listed in CHECKS' docstrings.
CHECKS = {
    "ball_gap": ("strong", "BallGap"),
    "energy_error": ("linear", "EnergyError"),
    "enclosure": ("enclosure", "EnclosureCheck"),
    "frank_wolfe": ("frank_wolfe", "FrankWolfeGap"),
    "gap": ("gap", "Gap"),
    "gap_distance": ("gap", "GapDistance"),
    "goal": ("goal", "Goal"),
    "held_out": ("statistical", "HeldOutRisk"),
    "linear_distance": ("linear", "LinearDistance"),
    "linear_residual": ("linear", "LinearResidual"),
    "mean": ("statistical", "MeanCheck"),
    "residual": ("residual", "Residual"),
    "second_order": ("second_order", "SecondOrder"),
    "stationarity": ("stationarity", "Stationarity"),
    "step": ("step", "ProxStep"),
    "strong_distance": ("strong", "StrongDistance"),
    "strong_gap": ("strong", "StrongGap"),
}
_CLASSES = {cls: module for module, cls in CHECKS.values()}


def names() -> list[str]:
    """Names of all checks."""
    return sorted(CHECKS)


def by_name(name: str, **hyper: Any) -> Any:
    """Build the check of this name; hyperparameters are those of its class."""
    if name not in CHECKS:
        raise ValueError(
            f"no check named {name!r}; the checks are {', '.join(names())}"
        )
    module, cls = CHECKS[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), cls)(**hyper)


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(importlib.import_module(f"{__name__}.{_CLASSES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_CLASSES, "by_name", "names"])
